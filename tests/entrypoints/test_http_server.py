"""The server itself, over a real socket."""

import http.client
import statistics
import time
from collections.abc import Iterator

import httpx
import pytest

from entrypoints.http.server import listen
from tests.entrypoints.http_service import Server, served
from tests.entrypoints.http_watch import HealthWatch


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("server")) as started:
        yield started


def test_an_answer_does_not_wait_for_an_acknowledgement(server: Server) -> None:
    with HealthWatch(server.port) as watch:
        time.sleep(1)
    # Delayed acknowledgement makes it 40 ms or more; an answer without it takes one or two, on a busy machine too.
    assert statistics.median(watch.waits) < 0.03


def test_it_says_nothing_of_itself(server: Server) -> None:
    headers = httpx.get(f"{server.base}/health").headers
    assert "server" not in headers
    assert "uvicorn" not in str(headers).lower()


def test_connections_are_kept(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    opened = connection.sock
    for _ in range(3):
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        assert connection.sock is opened
    connection.close()


def test_listening_on_a_taken_port_is_an_error_and_on_ipv6_works() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError, match="use"):
        listen("127.0.0.1", first.getsockname()[1])
    with listen("::1", 0) as six:
        assert six.getsockname()[0] == "::1"
