"""U-05: an upload that breaks off, or whose process is killed, is visible to nobody and leaves nothing behind."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.storage.filesystem import FilesystemBlobStore
from adapters.storage.s3 import PART, S3BlobStore
from adapters.storage.s3_client import Bucket, translated, uploads
from adapters.system import SystemClock
from application.ports.blobs import BlobNotFound, BlobStore
from application.sweep_uploads import STALE, SweepUploads
from domain.upload import INCOMING
from infrastructure.chores import make_chores
from infrastructure.folders import OwnFolder
from tests.adapters.processes import wait_until
from tests.contracts.blob_store import chunked, keys_of
from tests.contracts.uploads import an_upload
from tests.e2e.service import Service
from tests.entrypoints.http_wire import END, FILE
from tests.promises.test_u08_replaced_uploads import QUICK, s3_settings
from tests.servers.fault_proxy import FaultProxy
from tests.servers.s3 import S3Server

CUTS = int(os.environ.get("COLLOQUY_TEST_CUTS", "50"))  # noqa: TID251 - a longer run for a release
SIZE = 3_000_000
DAY = timedelta(days=1)


@pytest.fixture
def bucket(s3: S3Server) -> Bucket:
    return s3.bucket()


def request(service: Service, method: str, target: str, size: int, *lines: str) -> bytes:
    head = (
        f"{method} {target} HTTP/1.1", "Host: test", f"Authorization: Bearer {service.key}", *lines,
        f"Content-Length: {size}", "", "",
    )  # fmt: skip
    return "\r\n".join(head).encode()


def begun(service: Service, whole: bytes, cut: int) -> socket.socket:
    """Send the first `cut` bytes of a request, and no more."""
    wire = socket.create_connection(("127.0.0.1", httpx.URL(service.base).port or 0), timeout=15)
    wire.sendall(whole[:cut])
    return wire


def form(service: Service, size: int = SIZE) -> bytes:
    body = FILE + bytes(size) + END
    kind = "Content-Type: multipart/form-data; boundary=b"
    return request(service, "POST", "/api/v1/transcribe", len(body), kind) + body


def spooled(service: Service) -> list[Path]:
    return [path for path in (service.data / "blobs" / ".spool").rglob("*") if path.is_file() and path.name != ".lock"]


def halves(bucket: Bucket) -> list[str]:
    client = S3BlobStore(bucket)._client()
    try:
        with translated():
            listing = client._execute(method="GET", bucket_name=bucket.name, query_params={"uploads": ""})
    except BlobNotFound:  # this server says so when there has never been one
        return []
    return [upload.key for upload in uploads(listing.data)]


def tasks(service: Service) -> list[object]:
    with service.client() as client:
        return list(client.get("/api/v1/tasks").json()["tasks"])


@pytest.mark.slow
@pytest.mark.timeout(60 + CUTS)
def test_u05_connections_cut_at_random_bytes(bucket: Bucket, tmp_path: Path) -> None:
    dice = random.Random(5)
    with Service(tmp_path / "data", **QUICK, **s3_settings(bucket)) as service:
        with service.client() as client:
            offer = client.post("/api/v1/uploads", json={"size": SIZE}).json()
        put = request(service, "PUT", offer["url"], SIZE) + bytes(SIZE)
        for number in range(CUTS):
            whole = form(service) if number % 2 else put
            wire = begun(service, whole, dice.randrange(1, len(whole)))
            time.sleep(dice.choice((0.0, 0.0, 0.05)))
            if dice.random() < 0.5:  # a reset, as from a phone that lost its network, beside a proper end
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.close()
        wait_until(lambda: spooled(service) == [], seconds=15)
        assert tasks(service) == []
        assert asyncio.run(keys_of(S3BlobStore(bucket))) == []
        assert halves(bucket) == []
        with service.client() as client:  # the announced upload is still good
            assert client.put(offer["url"], content=bytes(SIZE)).status_code == 204


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_u05_kill_9_while_uploads_arrive_and_while_one_goes_on_to_the_store(s3: S3Server, tmp_path: Path) -> None:
    with FaultProxy(s3.port) as proxy:
        bucket = s3.bucket()
        settings = QUICK | s3_settings(s3.bucket(bucket.name, port=proxy.port))
        service = Service(tmp_path / "data", **settings).start()
        with service:
            wires = [begun(service, form(service), SIZE // 2) for _ in range(3)]
            wait_until(lambda: len(spooled(service)) == 3, seconds=10)
            proxy.slow(2_000_000)
            whole = form(service, 3 * PART)
            wires.append(begun(service, whole, len(whole)))
            wait_until(lambda: halves(bucket) != [], seconds=30)
            service.kill()
        for wire in wires:
            wire.close()
        proxy.heal()
        assert len(spooled(service)) == 4, "the kill met uploads under way, or this proves nothing"
        with service.start():
            assert spooled(service) == []
            assert tasks(service) == []
    store = S3BlobStore(bucket)
    assert asyncio.run(keys_of(store)) == []
    assert halves(bucket) != []
    time.sleep(1.1)
    asyncio.run(sweep(store, stale=timedelta(seconds=1)))
    assert halves(bucket) == []


async def sweep(store: BlobStore, *, stale: timedelta) -> None:
    database = MemoryDatabase(SystemClock())
    await SweepUploads(new_uow=lambda: MemoryUnitOfWork(database), blobs=store)(stale=stale)


def test_u05_a_sweep_comes_in_time() -> None:
    chores = make_chores(None, None, None, None, None)  # type: ignore[arg-type] # nothing is done here
    every = next(chore.every for chore in chores._chores if chore.name == "uploads")
    assert STALE + every * 1.2 <= timedelta(minutes=10)


async def test_u05_an_upload_that_goes_on_is_not_swept(bucket: Bucket) -> None:
    """However long ago it was begun: what counts is when the last part came."""
    store = S3BlobStore(bucket)
    await store.prepare()
    client = store._client()
    upload_id = client._create_multipart_upload(bucket_name=bucket.name, object_name="media/a", headers={})
    await asyncio.sleep(1.5)
    client._upload_part(bucket.name, "media/a", bytes(PART), None, upload_id, 1)
    await sweep(store, stale=timedelta(seconds=1.4))
    assert halves(bucket) == ["media/a"]
    await asyncio.sleep(1.5)
    await sweep(store, stale=timedelta(seconds=1.4))
    assert halves(bucket) == []


async def test_u05_uploads_that_nobody_came_for_are_swept(tmp_path: Path) -> None:
    store, database = FilesystemBlobStore(tmp_path), MemoryDatabase(SystemClock())
    now = SystemClock().now()
    waiting, expired, orphan = an_upload(), an_upload(), an_upload()
    async with MemoryUnitOfWork(database) as uow:
        for upload, until in ((waiting, now + DAY), (expired, now - timedelta(seconds=1))):
            object.__setattr__(upload, "expires_at", until)
            await uow.uploads.add(upload)
        await uow.commit()
    for key in (waiting.key, expired.key, orphan.key, f"{INCOMING}notes.txt", "media/a"):
        await store.put(key, chunked(b"a"))
    for _ in range(2):
        await SweepUploads(new_uow=lambda: MemoryUnitOfWork(database), blobs=store)()
        assert await keys_of(store) == sorted((waiting.key, f"{INCOMING}notes.txt", "media/a"))


HOLDER = """
import sys, time
from pathlib import Path
from infrastructure.folders import OwnFolder
own = OwnFolder(Path(sys.argv[1]))
folder = own.take()
(folder / "half").write_bytes(b"half")
print(folder, flush=True)
time.sleep(60)
"""


@pytest.fixture
def holders(tmp_path: Path) -> Iterator[list[tuple[subprocess.Popen[str], Path]]]:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    started = []
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        started.append((process, Path(process.stdout.readline().strip())))
    yield started
    for process, _ in started:
        process.kill()
        process.communicate()


def test_u05_the_spools_of_dead_neighbours_go_and_those_of_living_ones_stay(
    tmp_path: Path, holders: list[tuple[subprocess.Popen[str], Path]]
) -> None:
    own = OwnFolder(tmp_path)
    path = own.take()
    (path / "half").write_bytes(b"half")
    (dead, left), *alive = holders
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    assert (left / "half").exists()
    own.remove_dead()
    assert not left.exists()
    for folder in (path, *(living for _, living in alive)):
        assert (folder / "half").exists()
    own.release()
