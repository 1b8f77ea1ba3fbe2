"""How uvicorn serves the API: its socket, its parser, its limits; it starts nothing."""

import socket

from litestar import Litestar
from uvicorn import Config

from entrypoints.http.limits import MAX_HEADER_BYTES

KEEP_ALIVE_SECONDS = 30
"""Longer than clients pause between two polls."""
SHUTDOWN_SECONDS = 25
"""What requests in flight get to finish: inside the 30 s after which supervisors kill."""


BACKLOG = 1024


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
    return listener


def uvicorn_config(app: Litestar) -> Config:
    """Return the configuration of a server of `app`; where it listens is the caller's choice of socket."""
    return Config(
        app,
        # h11, because uvicorn caps with it what it holds of unfinished headers, while httptools gathers headers of any
        # length. Its slower parsing does not show: an upload passes it in large pieces. What arrives in one piece
        # passes that cap too, and is measured by `limit_headers`.
        http="h11",
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        ws="none",
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
