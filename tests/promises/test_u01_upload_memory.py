"""U-01: uploads cost the process next to no memory, however large and however many, and nobody else waits for them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.entrypoints.http_service import MAX_UPLOAD, Server, served
from tests.entrypoints.http_watch import HealthWatch
from tests.entrypoints.http_wire import END, FIELD, FILE, Exchange, upload_head, zeros

MIB = 1024 * 1024

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served(tmp_path) as started:
        Exchange(started, upload(started, 5 * MIB))  # what is loaded at the first upload is no cost of the next
        yield started


def upload(server: Server, size: int) -> Iterator[bytes]:
    front = FIELD % (b"lang", b"en") + FILE
    yield upload_head(server, f"Content-Length: {len(front) + size + len(END)}") + front
    yield from zeros(size)
    yield END


def growth(server: Server, before: int) -> int:
    return server.memory("VmHWM") - before


def test_u01_the_largest_upload(server: Server) -> None:
    server.reset_peak()
    before = server.memory("VmRSS")
    with HealthWatch(server.port) as watch:
        exchange = Exchange(server, upload(server, MAX_UPLOAD))
    assert exchange.status == 202, exchange.answer
    assert growth(server, before) <= 64 * MIB
    assert len(watch.waits) > 20
    assert watch.p99 < 0.25
    assert list(server.spool.iterdir()) == []


def test_u01_ten_at_once(server: Server) -> None:
    server.reset_peak()
    before = server.memory("VmRSS")
    with HealthWatch(server.port) as watch, ThreadPoolExecutor(10) as pool:
        exchanges = list(pool.map(lambda _: Exchange(server, upload(server, 100 * MIB)), range(10)))
    assert [exchange.status for exchange in exchanges] == [202] * 10
    assert growth(server, before) <= 256 * MIB
    assert len(watch.waits) > 20
    assert watch.p99 < 0.25
    assert list(server.spool.iterdir()) == []
