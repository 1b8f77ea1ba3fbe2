"""U-04: who sends too slowly, or nothing, is answered 408 and cut off, and nobody else notices."""

import http.client
import selectors
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from entrypoints.http.limits import HttpLimits
from tests.adapters.processes import wait_until
from tests.entrypoints.http_service import Server, served
from tests.entrypoints.http_watch import HealthWatch
from tests.entrypoints.http_wire import END, FILE, Exchange, upload_head

GRACE, HEADER = 1.5, 1.0
SLOW_CLIENTS = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("u04"), grace_seconds=GRACE, header_seconds=HEADER) as started:
        Exchange(started, upload(started, b"audio"))
        yield started


def upload(server: Server, audio: bytes) -> Iterator[bytes]:
    yield upload_head(server, f"Content-Length: {len(FILE) + len(audio) + len(END)}") + FILE + audio + END


@dataclass
class Client:
    """Sends `begin` at once and then a byte every `every` seconds, never coming to an end."""

    wire: socket.socket
    begin: bytes
    every: float
    byte: bytes = b"x"
    answer: bytes = b""
    closed_after: float = 0.0
    due: float = field(default_factory=time.monotonic)


def drive(clients: list[Client], *, seconds: float) -> None:
    """Let all of them send and listen until each has been closed."""
    began = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.wire.sendall(client.begin)
            client.wire.settimeout(0)
            selector.register(client.wire, selectors.EVENT_READ, client)
        while selector.get_map():
            now = time.monotonic()
            assert now - began < seconds, f"{len(selector.get_map())} are still connected"
            for key, _ in selector.select(0.05):
                client = key.data
                try:
                    chunk = client.wire.recv(65_536)
                except ConnectionResetError:
                    chunk = b""
                client.answer += chunk
                if not chunk:
                    client.closed_after = time.monotonic() - began
                    selector.unregister(client.wire)
                    client.wire.close()
            for key in list(selector.get_map().values()):
                client = key.data
                if client.every and client.due <= now:
                    client.due = now + client.every
                    try:
                        client.wire.send(client.byte)
                    except OSError:
                        client.every = 0.0


def body_clients(server: Server, number: int) -> list[Client]:
    head = upload_head(server, "Content-Length: 10000000") + FILE
    return [Client(server.connect(), head, every=1.0 if odd % 2 else 0.0) for odd in range(number)]


def test_u04_the_limits_are_those_that_are_promised(tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = HttpLimits(spool_dir=tmp_path_factory.mktemp("spool"), max_upload_bytes=1)
    assert limits.min_bytes_per_second >= 1024
    assert limits.grace_seconds <= 30
    assert limits.header_seconds <= 30


@pytest.mark.timeout(60)
def test_u04_fifty_slow_senders_are_cut_off_and_a_normal_user_is_served(server: Server) -> None:
    clients = body_clients(server, SLOW_CLIENTS)
    with HealthWatch(server.port) as watch, ThreadPoolExecutor(1) as pool:
        driving = pool.submit(drive, clients, seconds=30)
        wait_until(lambda: len(list(server.spool.iterdir())) == SLOW_CLIENTS, seconds=10)
        normal = Exchange(server, upload(server, bytes(1_000_000)))
        driving.result()
    assert normal.status == 202
    assert normal.seconds < 3
    assert watch.p99 < 0.25
    for client in clients:
        assert client.answer.startswith(b"HTTP/1.1 408 "), client.answer[:200]
        assert b'"code":"request_timeout"' in client.answer
        assert b"connection: close" in client.answer.lower()
        assert GRACE * 0.9 <= client.closed_after < GRACE + 8
    wait_until(lambda: list(server.spool.iterdir()) == [], seconds=5)


def test_u04_heads_that_never_end_and_clients_that_say_nothing(server: Server) -> None:
    head = b"GET /health HTTP/1.1\r\nX-Fill: "
    trickling = [Client(server.connect(), head, every=0.2) for _ in range(SLOW_CLIENTS)]
    mute = [Client(server.connect(), b"", every=0.0) for _ in range(SLOW_CLIENTS)]
    with HealthWatch(server.port) as watch:
        drive(trickling + mute, seconds=15)
    assert {client.answer.partition(b"\r\n")[0] for client in trickling} == {b"HTTP/1.1 408 Request Timeout"}
    assert {client.answer for client in mute} == {b""}
    assert max(client.closed_after for client in trickling + mute) < HEADER + 4
    assert watch.p99 < 0.25


def test_u04_the_deadline_holds_for_the_second_request_of_a_connection_too(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    wire = connection.sock
    for pause in (0.0, 0.0, HEADER * 1.5):  # a pause between two requests is no slow head
        time.sleep(pause)
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        assert connection.sock is wire
    client = Client(wire, b"GET /health HT", every=0.2)
    drive([client], seconds=HEADER + 4)
    assert client.answer.startswith(b"HTTP/1.1 408 ")


def test_u04_a_slow_line_that_keeps_the_least_rate_is_waited_for(server: Server) -> None:
    """At 4 KiB/s, in pieces as seldom as they may be, twice as long as the grace."""
    audio = bytes(12_288)
    with server.connect() as wire:
        wire.sendall(upload_head(server, f"Content-Length: {len(FILE) + len(audio) + len(END)}") + FILE)
        for start in range(0, len(audio), 4096):
            time.sleep(1.0)
            wire.sendall(audio[start : start + 4096])
        wire.sendall(END)
        assert wire.recv(65_536).startswith(b"HTTP/1.1 202 ")


def test_u04_json_bodies_are_held_to_the_same_rate(server: Server) -> None:
    head = "\r\n".join((
        "POST /api/v1/uploads HTTP/1.1", "Host: test", f"Authorization: {server.headers[0]['Authorization']}",
        "Content-Type: application/json", "Content-Length: 500", "", "{",
    )).encode()  # fmt: skip
    client = Client(server.connect(), head, every=0.5, byte=b" ")
    drive([client], seconds=GRACE + 6)
    assert client.answer.startswith(b"HTTP/1.1 408 "), client.answer[:300]
    assert httpx.get(f"{server.base}/health").status_code == 200
