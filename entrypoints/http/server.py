"""How uvicorn serves the API: its socket, its parser, its limits; it starts nothing."""

import asyncio
import socket
from collections.abc import Callable

from litestar import Litestar
from uvicorn import Config

from entrypoints.http.limits import KIB, MAX_HEADER_BYTES, HttpLimits
from entrypoints.http.protocol import SocketProtocol, punctual

KEEP_ALIVE_SECONDS = 30
"""Longer than clients pause between two polls."""
SHUTDOWN_SECONDS = 22
"""What requests in flight get to finish: inside the 30 s after which supervisors kill, and what comes before and after
must fit in there too."""
STALLED_SECONDS = 60
BACKLOG = 1024
MAX_FRAME_BYTES = 64 * KIB
"""Of what a WebSocket's client says: the ids of a thousand tasks."""
WS_PING_SECONDS = 20.0
"""Who does not answer a ping for so long has gone away."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket; port 0 picks a free one.

    Raises:
        OSError: the address is taken or is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Connections inherit this. Without it each answer takes 40 ms longer: head and body are two writes, and the second
    # waits until the peer has acknowledged the first. asyncio sees to that for sockets that it makes itself only.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # who has not taken a byte of its answer for so long has gone away
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)
    return listener


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop that uvicorn would choose, the fastest that is installed; None is Python's."""
    # Without its logging, which would write each WebSocket's URL, tokens and all, to standard error.
    return Config("", log_config=None).get_loop_factory()


def uvicorn_config(app: Litestar, limits: HttpLimits) -> Config:
    """Return the configuration of a server of `app`; where it listens is the caller's choice of socket."""
    return Config(
        app,
        # h11, because uvicorn caps with it what it holds of unfinished headers, while httptools gathers headers of any
        # length. Its slower parsing does not show: an upload passes it in large pieces. What arrives in one piece
        # passes that cap too, and is measured by `limit_headers`.
        http=punctual(limits.header_seconds),
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        ws=SocketProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_ping_interval=WS_PING_SECONDS,
        ws_ping_timeout=WS_PING_SECONDS,
        # Its messages are short, and each compressor holds a quarter of a megabyte.
        ws_per_message_deflate=False,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        # Nothing here depends on the peer's address, so nobody's word about it is taken.
        proxy_headers=False,
        server_header=False,
        # Logging is set up by whoever runs the process; RequestContext writes one line a request.
        log_config=None,
        access_log=False,
    )
