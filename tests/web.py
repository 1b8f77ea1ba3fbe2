"""Web servers on loopback addresses of their own: they answer as their pages say, and remember who asked for what."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import Any, Self

CALL = Path(__file__).parent / "data" / "call.flac"


@dataclass(frozen=True)
class Page:
    """What is answered under a path; a body that is no bytes is sent piece by piece, as it comes."""

    body: bytes | Callable[[], Iterator[bytes]] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = -1
    """What `Content-Length` says: -1 is the truth, None is not said at all, and the connection's end tells."""

    @staticmethod
    def html(markup: str) -> "Page":
        return Page(markup.encode(), headers={"Content-Type": "text/html; charset=utf-8"})

    @staticmethod
    def to(location: str, status: int = 302) -> "Page":
        return Page(status=status, headers={"Location": location})


def recording(**headers: str) -> Page:
    """The committed call."""
    return Page(CALL.read_bytes(), headers={"Content-Type": "audio/flac"} | headers)


def endless(piece: bytes = bytes(1 << 16)) -> Iterator[bytes]:
    """Give bytes for as long as somebody takes them."""
    return repeat(piece)


class Web:
    """Serves `pages` by path on a port of `host`, a free one if none is named; as a context it is closed at the end.

    The default address is one that tests declare public.
    """

    def __init__(self, pages: Mapping[str, Page] | None = None, *, host: str = "127.0.0.2", port: int = 0) -> None:
        self.pages = dict(pages or {})
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.sent = 0
        self._server = _Server((host, port), _handler(self))
        self.port = int(self._server.server_address[1])
        self.address = f"http://{host}:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what most of these tests want."""


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            web.asked.append(self.path)
            web.headers.append({name.lower(): value for name, value in self.headers.items()})
            page = web.pages.get(path, Page(status=404))
            self.send_response(page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            length = len(page.body) if page.length == -1 and isinstance(page.body, bytes) else page.length
            if length is not None and length >= 0:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            for piece in [page.body] if isinstance(page.body, bytes) else page.body():
                self.wfile.write(piece)
                web.sent += len(piece)

        def do_POST(self) -> None:
            web.bodies.append(self.rfile.read(int(self.headers.get("content-length", "0"))))
            self.do_GET()

        def do_HEAD(self) -> None:
            self.send_error(405)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


class Canary:
    """Ports on which nobody may ever knock: 127.0.0.0/8 and ::1, whatever address of theirs is meant."""

    def __init__(self, ports: int = 3) -> None:
        self.knocks: list[tuple[str, int]] = []
        self._sockets: list[socket.socket] = []
        for _ in range(ports):
            four = socket.create_server(("0.0.0.0", 0))  # noqa: S104 - it must hear every address of this machine
            self._sockets.append(four)
            with suppress(OSError):  # no IPv6 here
                self._sockets.append(
                    socket.create_server(("::", four.getsockname()[1]), family=socket.AF_INET6, dualstack_ipv6=False)
                )
        for each in self._sockets:
            threading.Thread(target=self._listen, args=(each,), daemon=True).start()

    @property
    def ports(self) -> list[int]:
        return sorted({each.getsockname()[1] for each in self._sockets})

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            self.knocks.append((str(peer[0]), listener.getsockname()[1]))
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
