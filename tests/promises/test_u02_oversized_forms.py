"""U-02: whatever is oversized beside the recording is refused before it is held."""

from collections.abc import Iterator
from itertools import chain

import httpx
import pytest

from tests.adapters.processes import wait_until
from tests.entrypoints.http_service import Server, served
from tests.entrypoints.http_wire import END, FIELD, FILE, Exchange, chunked, upload_head, zeros

MIB = 1024 * 1024
MOST = 16 * MIB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("u02")) as started:
        Exchange(started, upload(started, FILE + b"audio"))
        yield started


@pytest.fixture(autouse=True)
def little_memory(server: Server) -> Iterator[None]:
    server.reset_peak()
    before = server.memory("VmRSS")
    yield
    assert server.memory("VmHWM") - before <= MOST
    assert list(server.spool.iterdir()) == []
    assert httpx.get(f"{server.base}/health").status_code == 200


def upload(server: Server, form: bytes) -> Iterator[bytes]:
    yield upload_head(server, f"Content-Length: {len(form) + len(END)}") + form + END


@pytest.mark.parametrize(
    ("name", "framing"),
    [
        (b"initial_prompt", "length"),
        pytest.param(b"initial_prompt", "chunked", marks=pytest.mark.slow),
        pytest.param(b"unknown", "length", marks=pytest.mark.slow),
        pytest.param(b"", "chunked", marks=pytest.mark.slow),
    ],
)
def test_u02_a_text_field_of_300_mb(server: Server, name: bytes, framing: str) -> None:
    opening = (FIELD % (name, b""))[:-2]

    def form() -> Iterator[bytes]:
        yield opening
        yield from zeros(300 * MIB)
        yield END

    if framing == "chunked":
        exchange = Exchange(server, chain([upload_head(server, "Transfer-Encoding: chunked")], chunked(form())))
    else:
        head = upload_head(server, f"Content-Length: {len(opening) + 300 * MIB + len(END)}")
        exchange = Exchange(server, chain([head], form()))
    assert exchange.status == 413
    assert b'"code":"form_too_large"' in exchange.answer
    assert exchange.closed


def test_u02_many_small_fields(server: Server) -> None:
    exchange = Exchange(server, upload(server, (FIELD % (b"hotwords", b"x" * 2000)) * 40 + FILE + b"audio"))
    assert exchange.status == 413
    assert b'"code":"form_too_large"' in exchange.answer


def test_u02_1001_parts(server: Server) -> None:
    exchange = Exchange(server, upload(server, (FIELD % (b"hotwords", b"x")) * 1000 + FILE + b"audio"))
    assert exchange.status == 413
    assert b'"code":"form_too_large"' in exchange.answer


def test_u02_a_part_with_endless_headers(server: Server) -> None:
    line = b"--b\r\nContent-Disposition: form-data; name=" + b"x" * 100_000
    assert Exchange(server, upload(server, line)).status == 413
    lines = b"--b\r\n" + b"X-Filler: x\r\n" * 10_000
    assert Exchange(server, upload(server, lines)).status == 413


@pytest.mark.parametrize("shape", ["one long", "many short", "request line"])
def test_u02_request_headers_of_100_kb(server: Server, shape: str) -> None:
    fill = {
        "one long": b"X-Fill: " + b"x" * 100_000 + b"\r\n",
        "many short": b"X-Fill: x\r\n" * 9_000,
        "request line": b"",
    }[shape]
    target = b"/health" + b"?x" * 50_000 * (shape == "request line")
    exchange = Exchange(server, [b"GET " + target + b" HTTP/1.1\r\nHost: test\r\n" + fill + b"\r\n"])
    assert 400 <= exchange.status < 500


def test_u02_headers_that_never_end(server: Server) -> None:
    pieces = (b"GET /health HTTP/1.1\r\nX-Fill: ", *(b"x" * 65536 for _ in range(1000)))
    exchange = Exchange(server, pieces)
    assert exchange.sent < len(pieces) * 65536
    assert exchange.closed


def test_u02_ordinary_headers_still_pass(server: Server) -> None:
    answer = httpx.get(f"{server.base}/health", headers={"x-fill": "x" * 16_000})
    assert answer.status_code == 200


def test_u02_a_key_is_asked_for_before_the_body(server: Server) -> None:
    head = upload_head(server, f"Content-Length: {300 * MIB}").replace(b"Bearer cq_", b"Bearer xx_")
    exchange = Exchange(server, chain([head], zeros(300 * MIB)))
    assert exchange.status == 401
    assert exchange.closed


def test_u02_a_form_that_is_cut_off(server: Server) -> None:
    with server.connect() as wire:
        wire.sendall(upload_head(server, "Content-Length: 10000000") + FILE + bytes(5 * MIB))
        wait_until(lambda: list(server.spool.iterdir()) != [], seconds=5)
    wait_until(lambda: list(server.spool.iterdir()) == [], seconds=5)
