"""How uvicorn speaks HTTP here: as ever, but a request's head must be there in time."""

import asyncio

import h11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_REFUSED = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW = b"The request's head did not come in time.\n"


class PunctualProtocol(H11Protocol):
    """Closes a connection on which a head, or the first of it, is waited for longer than `header_seconds`.

    uvicorn has no such deadline: whoever sends one byte of a head a minute holds a connection, and one of this
    process's file descriptors, for ever. Subclasses set the seconds; between requests uvicorn's own keep-alive holds.
    """

    header_seconds: float

    _deadline: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note whether a head is still incomplete."""
        super().data_received(data)
        if self._upgraded:
            return
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr] # None at first
            self._wait_no_more()
        elif self._deadline is None and not self.transport.is_closing() and self.conn.trailing_data[0]:
            self._wait()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over: its head is here, and from now on the WebSocket's own pings watch it."""
        self._wait_no_more()
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.header_seconds, self._give_up)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
            head = h11.Response(status_code=408, headers=headers, reason="Request Timeout")
            for event in (head, h11.Data(data=_TOO_SLOW), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class SocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket as uvicorn speaks it, but for handshakes that come to nothing.

    One that was answered with a problem is complete, where uvicorn logs an error at each of them; one whose head this
    parser does not take, for a line that is too long say, is refused, where uvicorn waits for ever.
    """

    def data_received(self, data: bytes) -> None:
        """Take what came; the first of it is the whole head."""
        super().data_received(data)
        if not self.handshake_initiated:
            self.transport.write(_REFUSED)
            self.transport.close()

    async def send(self, message: ASGISendEvent) -> None:
        """Note that the handshake is over."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True


def punctual(header_seconds: float) -> type[PunctualProtocol]:
    """Return the protocol with its deadline set, as uvicorn takes it: it makes the instances itself."""
    return type("PunctualProtocol", (PunctualProtocol,), {"header_seconds": header_seconds})
