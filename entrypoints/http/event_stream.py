"""Server-sent events: how one is written, and how a stream stays alive; nothing here knows what it tells."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, cast

import msgspec

from entrypoints.http.leaving import Leaving

PING_SECONDS = 10.0
"""How long a stream is silent at most; proxies end connections that are silent for longer than a minute."""
STREAM_HEADERS: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
PING = b": ping\n\n"
_encoder = msgspec.json.Encoder()


def event(**fields: object) -> bytes:
    """Write an event whose data is one JSON object."""
    return b"data: " + _encoder.encode(fields) + b"\n\n"


def named_event(name: str, fields: Mapping[str, object], place: object = "") -> bytes:
    """Write an event with a name, and with the id by which a client that comes back says what it has, if it has one."""
    last = f"id: {place}\n" if place != "" else ""
    return f"event: {name}\n{last}".encode() + event(**fields)


def retry(milliseconds: int) -> bytes:
    """Tell the client after how long to come back when the stream ends."""
    return b"retry: %d\n\n" % milliseconds


async def with_pings(
    events: AsyncIterator[bytes], *, ping: bytes = PING, leaving: Leaving | None = None, farewell: bytes = b""
) -> AsyncIterator[bytes]:
    """Pass the events on, with `ping` between them where they are long in coming, until the listener must leave.

    Who may come back is told `farewell`.
    """
    coming: asyncio.Future[bytes] | None = None
    ending = asyncio.ensure_future((leaving or asyncio.Event()).wait())
    try:
        while True:
            coming = coming or asyncio.ensure_future(cast("Any", anext(events)))
            done, _ = await asyncio.wait(
                {coming, ending}, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )  # fmt: skip
            if ending in done and coming not in done:
                if farewell and leaving and leaving.restarting:
                    yield farewell
                return
            if not done:
                yield ping
                continue
            try:
                ready = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield ready
    finally:
        ending.cancel()
        if coming is not None:
            coming.cancel()
