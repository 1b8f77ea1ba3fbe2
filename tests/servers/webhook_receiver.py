"""A receiver of webhooks on loopback, in threads of its own: it answers as it is told and keeps what came."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One request; the names of headers are in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Reply:
    """What is answered, after `delay` seconds; a body that is an iterator is sent piece by piece, without a length."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Callable[[], Iterator[bytes]] = b""
    delay: float = 0.0


class Receiver:
    """Listens while it is entered; `reply` decides on each answer, and may be changed."""

    def __init__(
        self, reply: Callable[[Received], Reply] = lambda _: Reply(), tls: ssl.SSLContext | None = None
    ) -> None:
        self.reply = reply
        self.received: list[Received] = []
        self.connections = 0
        self.at_once = self.most_at_once = 0
        self.sent = 0
        self._lock = threading.Lock()
        self._released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def get_request(self) -> Any:
                taken = super().get_request()
                receiver.connections += 1
                return taken

            def handle_error(self, *_: Any) -> None:
                pass  # whoever hung up

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "http" if tls is None else "https"

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self._server.server_address[1]}{path}"

    def of(self, path: str) -> list[Received]:
        return [each for each in self.received if each.path == path]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def release(self) -> None:
        """End every delay."""
        self._released.set()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            body = request.rfile.read(int(request.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in request.headers.items()}
            received = Received(request.path, headers, body)
            reply = self.reply(received)
            self.received.append(received)
            if reply.delay:
                self._released.wait(reply.delay)
            self._send(request, reply)
        finally:
            with self._lock:
                self.at_once -= 1

    def _send(self, request: BaseHTTPRequestHandler, reply: Reply) -> None:
        request.send_response(reply.status)
        for name, value in reply.headers.items():
            request.send_header(name, value)
        request.send_header("connection", "close")
        if isinstance(reply.body, bytes):
            if reply.status != 204:
                request.send_header("content-length", str(len(reply.body)))
            request.end_headers()
            request.wfile.write(reply.body)
            return
        request.end_headers()
        for piece in reply.body():
            if self._released.is_set():
                return
            request.wfile.write(piece)
            self.sent += len(piece)
