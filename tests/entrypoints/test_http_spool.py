"""Uploads that do not make it: nothing of them stays behind."""

import asyncio
import contextlib
import resource
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from domain.errors import StorageFull
from entrypoints.http.limits import SPOOL_BATCH_BYTES
from entrypoints.http.spool import SpoolFile
from tests.entrypoints.http_service import Api

MIB = 1024 * 1024


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the kernel refuse longer files, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def mode_and_content(path: Path) -> tuple[int, bytes]:
    return stat.S_IMODE(path.stat().st_mode), path.read_bytes()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_spool_file_is_private_and_holds_what_came(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path)
    pieces = [bytes([number]) * 100_000 for number in range(50)]
    for piece in pieces:
        await spool.append(piece)
    await spool.flush()
    assert mode_and_content(spool.path) == (0o600, b"".join(pieces))
    assert spool.size == 5_000_000
    await spool.discard()
    await spool.discard()
    assert names(tmp_path) == []


async def test_it_writes_in_batches(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path)
    await spool.append(bytes(SPOOL_BATCH_BYTES - 1))
    assert mode_and_content(spool.path)[1] == b""
    await spool.append(b"x")
    assert len(mode_and_content(spool.path)[1]) == SPOOL_BATCH_BYTES
    await spool.discard()


async def test_a_full_disk_while_writing_or_at_the_end(tmp_path: Path) -> None:
    early, late = SpoolFile(tmp_path), SpoolFile(tmp_path)
    await late.append(bytes(MIB - 1))
    with files_of_at_most(MIB // 2):
        with pytest.raises(StorageFull):
            await early.append(bytes(MIB))
        with pytest.raises(StorageFull):
            await late.flush()
    await early.discard()
    await late.discard()
    assert names(tmp_path) == []


async def test_a_full_disk_is_507_and_passes(api: Api) -> None:
    async with api.client(await api.issue_key()) as client:
        with files_of_at_most(3 * MIB):
            answer = await client.post("/transcribe", files={"file": ("a.wav", bytes(5 * MIB))})
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
        assert answer.headers["retry-after"] == "60"
        assert api.spooled() == []
        assert (await client.get("/api/v1/tasks")).json()["tasks"] == []
        again = await client.post("/transcribe", files={"file": ("a.wav", bytes(5 * MIB))})
        assert again.status_code == 202


@pytest.mark.parametrize("end", ["disconnect", "cancel"])
async def test_a_sender_that_goes_away_and_a_server_that_stops(api: Api, end: str) -> None:
    headers = await api.issue_key()
    front = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    gone = asyncio.Event()
    pieces = iter([front, bytes(2 * MIB)])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        piece = next(pieces, None)
        if piece is not None:
            return {"type": "http.request", "body": piece, "more_body": True}
        gone.set()
        if end == "cancel":
            await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/transcribe",
        "raw_path": b"/transcribe",
        "query_string": b"",
        "headers": [
            (b"host", b"test"),
            (b"authorization", headers["Authorization"].encode()),
            (b"content-type", b"multipart/form-data; boundary=b"),
            (b"transfer-encoding", b"chunked"),
        ],
    }
    request = asyncio.create_task(cast("Any", api.app())(scope, receive, send))
    await gone.wait()
    if end == "cancel":
        assert len(api.spooled()) == 1
        request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request
    assert api.spooled() == []
    assert not any(message.get("status") == 202 for message in sent)
    assert api.database.rows.tasks == {}
