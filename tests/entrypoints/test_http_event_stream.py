"""A stream of events says something at least every few seconds, and loses nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from entrypoints.http import event_stream
from entrypoints.http.event_stream import event, with_pings


async def slowly() -> AsyncIterator[bytes]:
    yield event(number=1)
    await asyncio.sleep(0.2)
    yield event(number=2)


async def test_silence_is_filled_and_nothing_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PING_SECONDS", 0.05)
    said = [message async for message in with_pings(slowly())]
    assert (said[0], said[-1]) == (b'data: {"number":1}\n\n', b'data: {"number":2}\n\n')
    assert set(said[1:-1]) == {b": ping\n\n"}
