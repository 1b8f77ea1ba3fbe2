"""Backups between every two stores, in this process: each row and each blob comes back, or nothing does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.persistence.sql import SqlUnitOfWork
from adapters.persistence.tables_revisions import transcript_texts
from adapters.storage.memory import MemoryBlobStore
from domain.deletion import Deletion, DeletionReason
from domain.search import TextPart, terms
from domain.task import Task, TaskStatus, transcript_key
from infrastructure.backup import BadBackup, Contents, make_backup, restore_backup
from infrastructure.backup_rows import NotEmpty, tables
from infrastructure.database import connect, migrate
from tests.builders import NOW, a_full_task, a_running_task, a_task, an_api_key
from tests.contracts.blob_store import chunked, content_of, keys_of
from tests.contracts.clips import a_clip
from tests.contracts.deletions import a_revision_of, an_ended_task
from tests.contracts.resumables import a_resumable
from tests.servers.postgres import PostgresServer

TEXT = "Was im Café über „Größe“ gesagt wurde 日本語"


class Place:
    """A database, which is migrated, and a blob store."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        self.url = url
        self.engine = engine
        self.blobs = MemoryBlobStore()

    async def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """All there is, but for how each database lays out its terms."""
        found = {}
        async with self.engine.connect() as connection:
            for table in tables():
                columns = [column for column in table.c if column is not transcript_texts.c.terms]
                found[table.name] = sorted(map(tuple, await connection.execute(select(*columns))), key=repr)
        return found


@asynccontextmanager
async def place(kind: str, folder: Path, server: PostgresServer) -> AsyncIterator[Place]:
    folder.mkdir()
    if kind == "sqlite":
        url = f"sqlite+aiosqlite:///{folder / 'db.sqlite3'}"
        await asyncio.to_thread(migrate, url)
        engine = connect(url)
        yield Place(url, engine)
        await engine.dispose()
    else:
        with server.database() as url:
            await asyncio.to_thread(migrate, url)
            engine = connect(url)
            yield Place(url, engine)
            await engine.dispose()


async def filled(here: Place) -> Task:
    """Give it one of everything; return the task that is done."""
    done, purged = an_ended_task(revision=2), an_ended_task(media_purged_at=NOW)
    running, queued, odd = a_running_task(), a_task(), a_full_task()
    again, revising = (
        an_ended_task(media=done.media, parent=done.id),
        a_revision_of(done, TaskStatus.QUEUED, revision=3),
    )
    every = [done, purged, running, queued, odd, again, revising]
    async with SqlUnitOfWork(here.engine) as uow:
        for task in every:
            await uow.tasks.add(task)
        await uow.checkpoints.put(running.id, "1", token=1, payload=bytes(range(256)))
        await uow.api_keys.add(an_api_key(last_used_at=NOW))
        await uow.deletions.add(Deletion.of(a_task(), reason=DeletionReason.CALLER, now=NOW, in_work=True))
        await uow.texts.put(done.id, [TextPart(TEXT, terms(TEXT)), TextPart("more", terms("more"))])
        alone, shared = a_clip(expires_at=NOW), a_clip(uses=1)
        for clip in (alone, shared):
            await uow.clips.add(clip)
        of_clip = a_task(media=shared.source)
        await uow.tasks.add(of_clip)
        await uow.deletions.add(Deletion.of_clip(a_clip(), reason=DeletionReason.RETENTION, now=NOW))
        await uow.resumables.add(a_resumable())
        await uow.chores.take("sweep", every=NOW - NOW)
        await uow.commit()
    # `odd` is a revision whose recording was purged: it has no blob of its own.
    for key in {task.media.key for task in every if task.id not in {purged.id, odd.id}} | {alone.key, shared.key}:
        await here.blobs.put(key, chunked(key.encode() * 20_000))
    for key in [transcript_key(done.id, 2), transcript_key(purged.id, 1), transcript_key(again.id, 1)]:
        await here.blobs.put(key, chunked(key.encode()))
    await here.blobs.put("media/nobodys", chunked(b"not asked for"))
    return done


@pytest.mark.timeout(60)
@pytest.mark.parametrize("there", ["sqlite", "postgres"])
@pytest.mark.parametrize("here", ["sqlite", "postgres"])
async def test_d06_everything_comes_back(here: str, there: str, tmp_path: Path, postgres: PostgresServer) -> None:
    file = tmp_path / "backup.tar"
    async with place(here, tmp_path / "here", postgres) as old, place(there, tmp_path / "there", postgres) as new:
        done = await filled(old)
        made = await make_backup(old.url, old.blobs, file, made_at="now")
        back = await restore_backup(file, new.engine, new.blobs)
        assert back == made
        assert made.missing == 0
        assert await new.rows() == await old.rows()
        assert set(await keys_of(old.blobs)) - set(await keys_of(new.blobs)) == {"media/nobodys"}
        for key in await keys_of(new.blobs):
            assert await content_of(new.blobs, key) == await content_of(old.blobs, key)
        async with SqlUnitOfWork(new.engine) as uow:
            for word in ("größe", "日本"):
                (hit,) = await uow.texts.find(done.owner, terms(word)[:1], before=None, limit=5)
                assert (hit.task, hit.text) == (done, TEXT)
        with pytest.raises(NotEmpty):
            await restore_backup(file, new.engine, new.blobs)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["backup.tar"]


async def test_d06_a_blob_that_has_gone_meanwhile_is_named(tmp_path: Path, postgres: PostgresServer) -> None:
    file = tmp_path / "backup.tar"
    async with (
        place("sqlite", tmp_path / "here", postgres) as old,
        place("sqlite", tmp_path / "there", postgres) as new,
    ):
        done = await filled(old)
        await old.blobs.delete(transcript_key(done.id, 2))
        assert (await make_backup(old.url, old.blobs, file, made_at="now")).missing == 1
        assert f"{transcript_key(done.id, 2)}\n".encode() in file.read_bytes()
        assert (await restore_backup(file, new.engine, new.blobs)).missing == 1


async def test_d06_what_is_not_whole_writes_no_row(tmp_path: Path, postgres: PostgresServer) -> None:
    file, bad = tmp_path / "backup.tar", tmp_path / "bad.tar"
    async with (
        place("sqlite", tmp_path / "here", postgres) as old,
        place("sqlite", tmp_path / "there", postgres) as new,
    ):
        await filled(old)
        await make_backup(old.url, old.blobs, file, made_at="now")
        whole = file.read_bytes()
        spoilt = {
            "empty": b"",
            "no tar": b"not a tar" * 1_000,
            "half": whole[: len(whole) // 2],
            "cut at the end": whole[: whole.rindex(b"SHA256SUMS")],
            "a changed row": whole.replace(b'"name":"laptop"', b'"name":"Laptop"'),
            "a changed blob": whole.replace(b"transcripts/", b"Transcripts/"),
            "another release": whole.replace(b'"schema":"', b'"schema":"9'),
        }
        for name, content in spoilt.items():
            bad.write_bytes(content)
            with pytest.raises(BadBackup):
                print(name, await restore_backup(bad, new.engine, new.blobs))  # noqa: T201 - says which, when it fails
        assert not any((await new.rows()).values())
        assert await restore_backup(file, new.engine, new.blobs) != Contents()
