"""Shows the numbers on a port of their own, from threads of its own: a blocked event loop does not silence it."""

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from typing import Self

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PATIENCE_SECONDS = 5.0
"""How long a peer may take to ask, and to take the answer."""


class Listener:
    """Listens from `start` to `stop`; `text` is called in a thread for each request, and ought to be quick."""

    def __init__(self, host: str, port: int, text: Callable[[], bytes]) -> None:
        self._server = _server_of(host, port, text)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Listen no more; blocking, for a moment."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _server_of(host: str, port: int, text: Callable[[], bytes]) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = AF_INET6 if ":" in host else ThreadingHTTPServer.address_family
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: the peer hung up, or was too slow."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_SECONDS
        server_version = "colloquy"
        sys_version = ""

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            said = text()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: it is asked four times a minute."""

    return Server((host, port), Handler)
