"""U-07: an object store that is slow, failing, silent or strange is told in time, and nobody else waits for it.

Waits are scaled down by the adapter's own argument; that its defaults are those promised is a test of its own.
"""

import asyncio
import http.server
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

from adapters.storage.patience import Patience
from adapters.storage.s3 import PART, S3BlobStore
from adapters.storage.s3_client import Bucket
from application.ports.blobs import BlobStore
from domain.errors import StorageUnavailable
from tests.contracts.blob_store import chunked, content_of, info_of, keys_of
from tests.e2e.service import Service
from tests.promises.test_u08_replaced_uploads import QUICK, RECORDING, s3_settings
from tests.servers.fault_proxy import FaultProxy
from tests.servers.s3 import S3Server

T = TypeVar("T")
SHORT = Patience(connect=0.3, read=1.0, pause=0.05, total=2.0)
SLACK = 3.0
"""Seconds beyond the patience that a busy machine may take."""
CONTENT = bytes(range(256)) * (PART // 256 + 9)


@asynccontextmanager
async def loop_watched(worst: float) -> AsyncIterator[None]:
    """Check that the event loop is never blocked for longer than `worst` seconds meanwhile."""
    lags: list[float] = []

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            lags.append(time.monotonic() - before - 0.01)

    watching = asyncio.create_task(watch())
    yield
    watching.cancel()
    assert lags
    assert max(lags) < worst


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port) as proxy:
        yield proxy


@pytest.fixture
async def store(s3: S3Server, proxy: FaultProxy) -> BlobStore:
    store = S3BlobStore(s3.bucket(port=proxy.port), SHORT)
    await store.prepare()
    await store.put("kept", chunked(CONTENT))
    return store


def test_u07_the_patience_is_the_one_that_is_promised() -> None:
    patience = Patience()
    assert (patience.connect, patience.read, patience.tries) == (3.0, 30.0, 3)
    assert patience.total <= 60


def steps(store: BlobStore, folder: Path) -> dict[str, Coroutine[Any, Any, object]]:
    return {
        "put": store.put("new", chunked(CONTENT)),
        "open": content_of(store, "kept"),
        "fetch": store.fetch("kept", folder / "local"),
        "stat": store.stat("kept"),
        "copy": store.copy("kept", "copied"),
        "list": keys_of(store),
        "delete": store.delete("nothing"),
        "sweep": store.sweep_partial(timedelta()),
    }


async def again(step: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The store is found again: as soon as it is as quick as so little patience demands."""
    for _ in range(10):
        try:
            return await step()
        except StorageUnavailable:
            await asyncio.sleep(0.2)
    return await step()


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize("fault", ["silent", "held back", "refused"])
async def test_u07_a_store_that_is_away_is_told_in_time(
    fault: str, store: BlobStore, proxy: FaultProxy, tmp_path: Path
) -> None:
    await asyncio.to_thread(
        {"silent": proxy.swallow, "held back": lambda: proxy.slow(0), "refused": proxy.refuse}[fault]
    )
    await asyncio.to_thread(proxy.reset)
    async with loop_watched(0.5):
        for name, step in steps(store, tmp_path).items():
            began = time.monotonic()
            with pytest.raises(StorageUnavailable):
                await step
            assert time.monotonic() - began < SHORT.total + SLACK, name
    await asyncio.to_thread(proxy.heal)
    assert await again(lambda: content_of(store, "kept")) == CONTENT
    # A copy that was asked for over a line that held it back may still be made; half a blob is nowhere.
    assert {"kept"} <= set(await again(lambda: keys_of(store))) <= {"kept", "copied"}
    assert not (tmp_path / "local").exists()


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_u07_a_connection_that_is_cut_again_and_again_is_taken_up(store: BlobStore, proxy: FaultProxy) -> None:
    proxy.cut_after(2_500_000)
    async with loop_watched(0.5):
        assert await content_of(store, "kept") == CONTENT
    assert proxy.connections > len(CONTENT) // 2_500_000


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_u07_a_slow_line_is_not_a_dead_one(s3: S3Server, proxy: FaultProxy) -> None:
    """A part takes far longer to be sent than a connection may take to be made."""
    store = S3BlobStore(s3.bucket(port=proxy.port), Patience(connect=0.3, read=5.0, tries=1))
    await store.prepare()
    proxy.slow(PART / 3)
    began = time.monotonic()
    assert await store.put("slow", chunked(CONTENT)) == info_of("slow", CONTENT)
    assert time.monotonic() - began > 2


class Failing(http.server.ThreadingHTTPServer):
    """Answers 503 so many times, then as if there were an object of five bytes."""

    def __init__(self, failures: int) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(handler) -> None:  # noqa: N805 - named by http.server
                self.asked += 1
                handler.send_response(503 if self.asked <= failures else 200)
                handler.send_header("ETag", '"e"')
                handler.send_header("Last-Modified", "Sat, 21 Nov 2026 10:00:00 GMT")
                handler.send_header("Content-Length", "0" if self.asked <= failures else "5")
                handler.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = 0
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def bucket(self) -> Bucket:
        return Bucket(
            endpoint=f"127.0.0.1:{self.server_port}", name="any", access_key="a", secret_key="b", secure=False  # noqa: S106
        )  # fmt: skip


@pytest.mark.parametrize("failures", [2, 99])
async def test_u07_a_store_that_answers_503_is_asked_three_times(failures: int) -> None:
    with Failing(failures) as failing:
        store = S3BlobStore(failing.bucket, SHORT)
        if failures < SHORT.tries:
            found = await store.stat("a")
            assert found is not None
            assert found.size == 5
        else:
            with pytest.raises(StorageUnavailable):
                await store.stat("a")
        assert failing.asked == SHORT.tries


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_u07_jobs_wait_for_a_store_that_is_away_and_nobody_else_does(s3: S3Server, tmp_path: Path) -> None:
    with FaultProxy(s3.port) as proxy:
        settings = QUICK | s3_settings(s3.bucket(port=proxy.port)) | {"MAX_WORKERS": "1", "ASR_SCRIPT": "sleep:1"}
        with Service(tmp_path / "data", **settings) as service:
            tasks = [service.submit(RECORDING) for _ in range(2)]
            proxy.refuse()
            proxy.reset()
            deadline = time.monotonic() + 60
            while "storage_unavailable" not in service.log:
                assert time.monotonic() < deadline, service.log[-2000:]
                began = time.monotonic()
                states = {service.status(task)["status"] for task in tasks}
                assert time.monotonic() - began < 5, "who only asks does not wait for the store"
                assert states <= {"queued", "processing"}
                time.sleep(0.2)
            with service.client() as client, RECORDING.open("rb") as media:
                refused = client.post("/api/v1/transcribe", files={"file": ("a.flac", media)})
            assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
            proxy.heal()
            ended = [service.wait(task, patience=100) for task in tasks]
    assert {status["status"] for status in ended} == {"done"}
    assert not list((tmp_path / "data" / "blobs" / ".spool").glob("*"))
