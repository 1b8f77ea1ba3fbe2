"""A listener that is about to close: who has reached it is served, who comes after finds nobody."""

import contextlib
import socket
import sys
import threading
import time

import pytest

from entrypoints.http.closing_listener import take_no_more
from entrypoints.http.server import listen

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such filter")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_under_way_are_accepted_and_new_ones_are_not(host: str) -> None:
    with contextlib.closing(listen(host, 0)) as listener:
        address = listener.getsockname()[:2]
        with socket.create_connection(address, timeout=5) as early:
            take_no_more(listener)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.3)
            accepted, _ = listener.accept()
            with accepted:
                early.sendall(b"hello")
                assert accepted.recv(5) == b"hello"


def test_whoever_is_let_in_meanwhile_is_never_reset() -> None:
    listener = listen("127.0.0.1", 0)
    address, resets, served, closed = listener.getsockname()[:2], [], [], threading.Event()

    def call() -> None:
        while not closed.is_set():
            try:
                with socket.create_connection(address, timeout=0.2) as peer:
                    peer.settimeout(5)
                    served.append(peer.recv(1))
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                return
            except OSError as error:
                resets.append(error)

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    listener.settimeout(0.2)
    filtered = time.monotonic() + 0.5
    with contextlib.suppress(TimeoutError):
        while True:
            if time.monotonic() > filtered:
                take_no_more(listener)
            accepted, _ = listener.accept()
            with accepted:
                accepted.sendall(b"x")
    listener.close()
    closed.set()
    for caller in callers:
        caller.join()
    assert resets == []
    assert len(served) > 8
