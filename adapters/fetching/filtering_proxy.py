"""An HTTP proxy on loopback through which a confined process reaches what policy allows, and nothing else.

It looks into nothing that passes, and keeps nothing of it.
"""

import asyncio
import base64
import hmac
import secrets
from contextlib import closing, suppress
from ipaddress import IPv6Address
from types import TracebackType
from typing import Self

from adapters.egress import Egress
from domain.egress import place_of
from domain.errors import UrlNotAllowed

_HEAD_SECONDS = 10.0
_PIECE = 1 << 16
_TLS_PORT = 443
_HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization"}
_ANSWERS = {
    400: b"400 Bad Request",
    403: b"403 Forbidden",
    407: b'407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="fetching"',
    502: b"502 Bad Gateway",
}


class FilteringProxy:
    """Takes `CONNECT` and plain requests from whoever knows its password; open for as long as the context lasts.

    `received` counts the bytes that came in; at more than `max_bytes` every connection is closed, and no more opened.
    `refused` says that somewhere was asked for that is forbidden.
    """

    def __init__(self, egress: Egress, *, max_bytes: int) -> None:
        self.received = 0
        self.refused = False
        self.port = 0
        self._egress = egress
        self._max_bytes = max_bytes
        self._password = secrets.token_urlsafe(24)
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The proxy as clients are told of it."""
        return f"http://fetching:{self._password}@127.0.0.1:{self.port}"

    @property
    def exhausted(self) -> bool:
        """Whether more has come than may come."""
        return self.received > self._max_bytes

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0, limit=_PIECE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.stop()

    async def stop(self) -> None:
        """Listen no more, and let go of all that is open."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        if this is not None:
            self._connections.add(this)
            this.add_done_callback(self._connections.discard)
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            try:
                await self._serve(reader, writer)
            except _Refusal as refusal:
                writer.write(
                    b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % _ANSWERS[refusal.status]
                )
                await writer.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        line, *headers = head[:-4].split(b"\r\n")
        if self.exhausted or not self._knows(headers):
            raise _Refusal(502 if self.exhausted else 407)
        try:
            method, target, _ = line.decode("ascii").split(" ")
            host, port, first = self._asked(method, target, headers)
            there, back = await self._egress.connect(host, port)
        except ValueError as error:
            raise _Refusal(400) from error
        except UrlNotAllowed as error:
            self.refused = True
            raise _Refusal(403) from error
        except (OSError, TimeoutError) as error:
            raise _Refusal(502) from error
        with closing(back):
            if first:
                back.write(first)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await self._pass_on(reader, back, there, writer)

    def _asked(self, method: str, target: str, headers: list[bytes]) -> tuple[str, int, bytes]:
        """Return where to connect to, and what to send there first."""
        policy = self._egress.policy
        if method == "CONNECT":
            host, _, port = place_of(target, policy, default_port=_TLS_PORT)
            return host, port, b""
        place = policy.destination(target)
        if place.scheme != "http":
            raise UrlNotAllowed("this is asked for without CONNECT")
        shown = f"[{place.host}]" if isinstance(place.address, IPv6Address) else place.host
        path = place.url.partition("://")[2].partition("/")[2]
        kept = [each for each in headers if each.partition(b":")[0].strip().lower() not in _HOP_BY_HOP | {b"host"}]
        start = f"{method} /{path} HTTP/1.1\r\nHost: {shown}:{place.port}\r\nConnection: close".encode("ascii")
        return place.host, place.port, b"\r\n".join([start, *kept]) + b"\r\n\r\n"

    def _knows(self, headers: list[bytes]) -> bool:
        expected = b"Basic " + base64.b64encode(f"fetching:{self._password}".encode())
        given = dict(_header(each) for each in headers).get(b"proxy-authorization", b"")
        return hmac.compare_digest(given, expected)

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Pass bytes in both directions until the server has no more, or the client has gone."""
        sending = asyncio.ensure_future(_copy(reader, back))
        try:
            while not self.exhausted and (piece := await there.read(_PIECE)):
                self.received += len(piece)
                writer.write(piece)
                await writer.drain()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.close()  # the client has gone: what still comes is for nobody


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip()


class _Refusal(Exception):
    """The request is answered with `status` instead."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status
