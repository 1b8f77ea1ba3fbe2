"""The fault proxy before a real echo server: each fault is seen by a client, and the bytes are otherwise untouched."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers.fault_proxy import FaultProxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(65_536):
                self.request.sendall(data)
        except ConnectionError:
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with FaultProxy(server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with connected(proxy) as client:
        yield client


def connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def echoed(client: socket.socket, data: bytes = b"ping") -> bytes:
    client.sendall(data)
    return received(client, len(data))


def received(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := client.recv(65_536)):
        data += more
    return data


def silent(client: socket.socket, seconds: float = 0.2) -> bool:
    client.settimeout(seconds)
    try:
        return not client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)


def test_without_a_fault_bytes_pass_and_are_counted(proxy: FaultProxy, client: socket.socket) -> None:
    content = bytes(range(256)) * 4000
    sending = threading.Thread(target=client.sendall, args=(content,))
    sending.start()
    assert received(client, len(content)) == content
    sending.join()
    with connected(proxy) as other:
        assert echoed(other) == b"ping"
        assert (proxy.connections, proxy.open) == (2, 2)
    assert (proxy.bytes_up, proxy.bytes_down) == (len(content) + 4, len(content) + 4)


def test_an_end_is_passed_on_and_the_answer_still_comes(client: socket.socket) -> None:
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert received(client, 100) == b"last words"


def test_latency(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.delay(0.1)
    started = time.monotonic()
    assert echoed(client) == b"ping"
    assert 0.2 <= time.monotonic() - started < 1
    proxy.heal()
    started = time.monotonic()
    assert echoed(client) == b"ping"
    assert time.monotonic() - started < 0.1


def test_reset(proxy: FaultProxy, client: socket.socket) -> None:
    assert echoed(client) == b"ping"
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with connected(proxy) as again:
        assert echoed(again) == b"ping"


def test_half_close(proxy: FaultProxy, client: socket.socket) -> None:
    assert echoed(client) == b"ping"
    proxy.half_close()
    assert client.recv(1) == b""
    client.sendall(b"unheard")
    deadline = time.monotonic() + 2
    while proxy.bytes_up < 11 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (proxy.bytes_up, proxy.bytes_down) == (11, 4)


def test_a_black_hole_takes_everything_and_resets_who_was_robbed(proxy: FaultProxy, client: socket.socket) -> None:
    with connected(proxy) as idle:
        assert echoed(client) == echoed(idle) == b"ping"
        proxy.swallow()
        client.sendall(b"swallowed")
        with connected(proxy) as new:
            new.sendall(b"swallowed")
            assert silent(client)
            assert silent(new)
            assert proxy.bytes_up == 8
            proxy.heal()
            for robbed in (client, new):
                with pytest.raises(ConnectionResetError):
                    robbed.recv(1)
        assert echoed(idle) == b"ping"


def test_a_split_network_delivers_late(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.slow(0)
    client.sendall(b"late")
    assert silent(client)
    proxy.heal()
    assert received(client, 4) == b"late"


def test_refuse(proxy: FaultProxy, client: socket.socket) -> None:
    assert echoed(client) == b"ping"
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    assert echoed(client) == b"ping", "whoever is connected stays so"
    proxy.heal()
    assert proxy.port == port
    with connected(proxy) as again:
        assert echoed(again) == b"ping"


def test_rate(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.slow(10_000)
    started = time.monotonic()
    assert echoed(client, bytes(4_000)) == bytes(4_000)
    assert 0.4 <= time.monotonic() - started < 1.5
    proxy.heal()
    assert echoed(client, bytes(4_000)) == bytes(4_000)


def test_cut_after(proxy: FaultProxy) -> None:
    proxy.cut_after(1_500)
    with connected(proxy) as client:
        assert echoed(client, bytes(700)) == bytes(700)
        client.sendall(bytes(700))
        with pytest.raises(ConnectionResetError):
            received(client, 2_000)
    assert proxy.bytes_up + proxy.bytes_down == 1_500
    proxy.heal()
    with connected(proxy) as client:
        assert echoed(client, bytes(2_000)) == bytes(2_000)


def test_a_server_that_is_away_refuses_by_a_reset() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        target = free.getsockname()[1]
    # The reset may arrive before `connect` has returned.
    with FaultProxy(target) as proxy, pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)


async def test_it_serves_tests_of_either_colour(proxy: FaultProxy, client: socket.socket) -> None:
    assert echoed(client) == b"ping"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
