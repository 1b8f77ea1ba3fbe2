"""Encryption at rest from its settings to its backups, in this process."""

import asyncio
import base64
import secrets
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from adapters.keyring import Keyring
from adapters.persistence.sql import SqlUnitOfWork
from adapters.persistence.tables_revisions import transcript_texts
from adapters.storage.encrypted import EncryptedBlobStore
from adapters.storage.memory import MemoryBlobStore
from adapters.system import Uuid7Factory
from domain.errors import NotConfigured
from domain.search import text_parts
from domain.task import Task, transcript_key
from infrastructure.backup import make_backup, restore_backup
from infrastructure.database import connect, migrate
from infrastructure.encrypt_old import EncryptOld
from infrastructure.encryption import refuse_wrong_keys
from infrastructure.load_settings import BadSettings, effective, load_settings
from tests.contracts.blob_store import chunked, content_of
from tests.contracts.deletions import an_ended_task

SAID = "quixotic words in confidence"


def a_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"ENCRYPTION_KEYS": "c2hvcnQ="}, "ENCRYPTION_KEYS"),
        ({"ENCRYPTION_KEYS": base64.b64encode(bytes(32)).decode()}, "not random"),
        ({"ENCRYPTION_KEYS": f"{(twice := a_key())},{twice}"}, "twice"),
        ({"ENCRYPTION_PLAIN": "refuse"}, "needs ENCRYPTION_KEYS"),
        ({"ENCRYPTION_KEY": a_key()}, "did you mean ENCRYPTION_KEYS"),
        (
            {
                "ENCRYPTION_KEYS": a_key(), "S3_PUBLIC_URL": "https://s3.example.org", "BLOB_URL": "s3://bucket",
                "S3_ENDPOINT": "s3", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b",
            },
            "S3_PUBLIC_URL",
        ),
        ({"RETENTION_AUDIT": "12h"}, "RETENTION_AUDIT"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(given: dict[str, str], problem: str) -> None:
    with pytest.raises(BadSettings, match=problem) as refused:
        load_settings(given)
    assert not any(value in str(refused.value) for name, value in given.items() if name == "ENCRYPTION_KEYS")


def test_keys_are_separated_by_what_files_have_between_lines_too() -> None:
    first, second = a_key(), a_key()
    settings = load_settings({"ENCRYPTION_KEYS": f"{first} ,\n{second}\n"})
    assert settings.encryption.operator_keys() == [base64.b64decode(first), base64.b64decode(second)]
    assert first not in repr(effective(settings))


class Place:
    """A database and a blob store, which is encrypted under `keys`, if there are any."""

    def __init__(self, folder: Path, *keys: bytes) -> None:
        folder.mkdir()
        self.url = f"sqlite+aiosqlite:///{folder / 'db.sqlite3'}"
        migrate(self.url)
        self.engine = connect(self.url)
        self.stored = MemoryBlobStore()
        self.vault = Keyring(keys, lambda: SqlUnitOfWork(self.engine), Uuid7Factory())
        self.blobs = EncryptedBlobStore(self.stored, self.vault)

    def uow(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(self.engine, self.vault)

    async def put(self, task: Task, *, encrypted: bool) -> None:
        await self.vault.open()
        store = self.blobs if encrypted else self.stored
        await store.put(task.media.key, chunked(SAID.encode()))
        await store.put(transcript_key(task.id, task.revision), chunked(SAID.encode()))
        async with self.uow() if encrypted else SqlUnitOfWork(self.engine) as uow:
            await uow.tasks.add(task)
            await uow.texts.put(task.id, text_parts([SAID]))
            await uow.commit()

    async def told(self) -> bool:
        """Whether a blob or a text is in plain."""
        async with self.engine.connect() as connection:
            texts = repr((await connection.execute(select(transcript_texts))).fetchall())
        return "quixotic" in texts or any(SAID.encode() in each for each in self.stored._blobs.values())

    async def found(self) -> int:
        async with self.uow() as uow:
            hits = await uow.texts.find(an_ended_task().owner, ["quix"], before=None, limit=9)
        assert all(hit.text == SAID for hit in hits)
        return len(hits)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = await asyncio.to_thread(Place, tmp_path / "old", bytes(range(32)))
    yield made
    await made.engine.dispose()


async def test_what_was_stored_before_is_encrypted_when_told(place: Place) -> None:
    task = an_ended_task()
    await place.put(task, encrypted=False)
    await place.stored.put("media/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e", chunked(b"nobody's, deleted just now"))
    apply = EncryptOld(place.stored, place.blobs, place.uow, place.engine, place.vault)
    assert await place.told()
    assert await apply() == (3, 1)
    assert not await place.told()
    assert await content_of(place.blobs, transcript_key(task.id, task.revision)) == SAID.encode()
    assert await place.found() == 1
    assert [key async for key in place.stored.list("media/")] == [task.media.key], "what has no row does not come back"
    assert await apply() == (0, 0)


async def test_a_backup_tells_nothing_and_needs_the_key(place: Place, tmp_path: Path) -> None:
    task = an_ended_task()
    await place.put(task, encrypted=True)
    file = tmp_path / "backup.tar"
    await place.stored.put(task.media.key, chunked(SAID.encode()))  # one from before, still in plain
    await make_backup(place.url, place.blobs, file, made_at="now")
    assert b"quixotic" not in file.read_bytes()
    with tarfile.open(file) as tar:
        assert "rows/vault_keys.jsonl" in tar.getnames()
    new = await asyncio.to_thread(Place, tmp_path / "new", bytes(range(32)))
    try:
        with pytest.raises(NotConfigured, match="encrypted under the key"):
            await restore_backup(file, new.engine, new.stored)
        await restore_backup(file, new.engine, new.stored, lambda _: None)
        assert not await new.told()
        assert await content_of(new.blobs, task.media.key) == SAID.encode()
        assert await new.found() == 1
    finally:
        await new.engine.dispose()


async def test_wrong_keys_are_told_before_anything_is_read(place: Place) -> None:
    await place.vault.open()
    state = await place.vault.state()
    right = base64.b64encode(bytes(range(32))).decode()
    for keys, fine in ((right, True), (f"{a_key()},{right}", True), (a_key(), False), ("", False)):
        settings = load_settings({"ENCRYPTION_KEYS": keys, "DATABASE_URL": place.url})
        if fine:
            await asyncio.to_thread(refuse_wrong_keys, settings)
        else:
            with pytest.raises(NotConfigured, match=state.current):
                await asyncio.to_thread(refuse_wrong_keys, settings)
