"""How the API ends: it says so, goes on for a moment, finishes what it has begun, and is cut short when told to.

It must not end anything but the server: what runs behind the API is released by whoever started it.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping

import structlog
import uvicorn

from entrypoints.http.closing_listener import take_no_more

_SETTLE_SECONDS = 0.2
"""What was accepted last is read before idle connections are closed: closing on unread bytes would reset them."""
_HANDSHAKE_SECONDS = 0.3
"""What connections that are being made need to be made and accepted."""
_CLOSE = (b"connection", b"close")
_SIGNALED = 128

_log = structlog.get_logger()


class Ending:
    """Whether the process is about to end; `hang_up` is set when those who only listen must go elsewhere."""

    def __init__(self) -> None:
        self.begun = False
        self.hang_up = asyncio.Event()

    def probe(self, probe: Callable[[], Awaitable[Mapping[str, str]]]) -> Callable[[], Awaitable[Mapping[str, str]]]:
        """Return a probe that names the process as a part that is not there any more, before it asks `probe`."""

        async def ask() -> Mapping[str, str]:
            return {"process": "stopping"} if self.begun else await probe()

        return ask


class EndingServer(uvicorn.Server):
    """A server that ends in steps, so that no request is lost.

    At the first signal readiness fails and every answer closes its connection, while requests are still taken for
    `drain_seconds`: so balancers and clients have somewhere else to go before anything is refused. Then it listens no
    more and finishes the requests in flight. At the second signal the process ends at once: what it was doing is
    taken up by whoever comes next, as after a power cut.
    """

    def __init__(self, config: uvicorn.Config, ending: Ending, drain_seconds: float) -> None:
        super().__init__(config)
        self._ending = ending
        self._drain_seconds = drain_seconds

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Change nothing: uvicorn's own handling would end the process before its tasks are released."""
        yield

    def heed_signals(self) -> None:
        """End at SIGINT or SIGTERM, from now until the process has ended; for the loop that runs this server."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number)

    def _end(self, number: int) -> None:
        if self._ending.begun:
            _log.warning("ended at once", signal=signal.Signals(number).name)
            os._exit(_SIGNALED + number)
        self._ending.begun = True
        _log.info("ending", signal=signal.Signals(number).name, drain_seconds=self._drain_seconds)
        if not self.started:  # nobody was served yet
            self.should_exit = True
            return
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        asyncio.get_running_loop().call_later(self._drain_seconds, setattr, self, "should_exit", True)  # noqa: FBT003

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, take in what has arrived, then end the connections as uvicorn does."""
        for listener in sockets or []:
            take_no_more(listener)
        await asyncio.sleep(_HANDSHAKE_SECONDS)
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        await asyncio.sleep(_SETTLE_SECONDS)
        # Whoever is told to come back finds somebody else now, and not this process again.
        self._ending.hang_up.set()
        await asyncio.sleep(_SETTLE_SECONDS)
        await super().shutdown(sockets)
