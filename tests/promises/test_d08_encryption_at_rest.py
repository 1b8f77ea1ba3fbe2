"""D-08: with encryption on, no file holds what was said or handed in; without the key nothing starts; keys rotate."""

import asyncio
import base64
import hashlib
import secrets
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.storage.encrypted import EncryptedBlobStore
from adapters.storage.s3 import S3BlobStore
from adapters.system import SystemClock
from tests.adapters.test_vault import keyring
from tests.contracts.blob_store import chunked, content_of
from tests.e2e.service import Service, environment
from tests.promises.test_d01_deleted_everywhere import CONVERSATION, SCRIPTED, in_files, spoken
from tests.servers.s3 import S3Server

MARK = b"zyzzogeton-quixotry-in-the-bytes-of-the-audio"


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def command(data: Path, settings: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    colloquy = str(Path(sys.executable).with_name("colloquy"))
    return subprocess.run(
        [colloquy, *arguments],
        env=environment(data) | dict(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fingerprints(blobs: Path) -> dict[str, tuple[int, str]]:
    return {
        path.relative_to(blobs).as_posix(): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in blobs.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_d08_a_life_under_changing_keys(tmp_path: Path) -> None:
    """One installation: not a word in any file, rotation beside the service, wrong keys, a backup put back."""
    audio = CONVERSATION.read_bytes() + MARK
    file = tmp_path / "meeting.flac"
    file.write_bytes(audio)
    data, first, second = tmp_path / "data", new_key(), new_key()
    with Service(data, **SCRIPTED, ENCRYPTION_KEYS=first) as service:
        task = service.submit(file)
        assert service.wait(task)["status"] == "done"
        needles = [MARK, CONVERSATION.read_bytes()[:64], *spoken(service, task)]
        assert in_files(data, needles) == [], "neither the folder of blobs nor the database tells anything"
        with service.client() as client:
            url = f"/api/v1/tasks/{task}/media"
            assert client.get(url).content == audio
            piece = client.get(url, headers={"Range": "bytes=70000-70099"})
            assert (piece.status_code, piece.content) == (206, audio[70_000:70_100])
            found = client.get("/api/v1/tasks", params={"q": needles[-1].decode().split()[-1]}).json()
            assert task in str(found), "what is sealed can be searched for"
        before = fingerprints(data / "blobs")
        assert len(before) >= 2
        both = {"ENCRYPTION_KEYS": f"{second},{first}"}
        rotated = command(data, both, "encryption", "rotate")
        assert "0 are under another key" in rotated.stdout, rotated.stderr
        assert fingerprints(data / "blobs") == before, "no blob was rewritten"
        result = service.result(task, "json").content
        made = command(data, both, "backup", str(tmp_path / "backup.tar"))
        assert made.returncode == 0, made.stderr
        service.stop()

    with tarfile.open(tmp_path / "backup.tar") as tar:
        assert any(name.startswith("blobs/media/") for name in tar.getnames())
    assert in_files(tmp_path, needles) == [("meeting.flac", MARK), ("meeting.flac", needles[1])]

    refused = command(data, {"ENCRYPTION_KEYS": first}, "serve")  # which was the right one before the rotation
    assert refused.returncode == 78
    assert "encrypted under the key" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not any(key in refused.stderr for key in (first, second))

    restored, anew = tmp_path / "restored", {"ENCRYPTION_KEYS": second}
    back = command(restored, anew, "restore", str(tmp_path / "backup.tar"))
    assert back.returncode == 0, back.stderr
    with Service(restored, **SCRIPTED, **anew) as service, service.client() as client:
        assert client.get(f"/api/v1/tasks/{task}/media").content == audio
        assert service.result(task, "json").content == result
        assert in_files(restored, needles) == []


async def test_d08_a_bucket_holds_nothing_readable(s3: S3Server) -> None:
    database, bucket = MemoryDatabase(SystemClock()), s3.bucket()
    store = EncryptedBlobStore(S3BlobStore(bucket), keyring(lambda: MemoryUnitOfWork(database), 7))
    await store.prepare()
    content = MARK * 40_000
    await store.put("media/a", chunked(content))
    assert await content_of(store, "media/a") == content
    stored = await asyncio.to_thread(in_files, s3._folder / "data" / bucket.name, [MARK])
    assert stored == []
