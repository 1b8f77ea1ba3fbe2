"""Answering many who ask for rows at about the same time by one read; it keeps nothing once it has answered."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Row = TypeVar("Row")


class ReadTogether(Generic[Key, Row]):
    """Reads for whoever waits; each read begins after all have asked whom it answers, so nobody is told old news.

    While one read is under way the next askers gather. What a read raises, each of its askers gets. For one event loop.
    """

    def __init__(self, read: Callable[[Collection[Key]], Awaitable[Mapping[Key, Row]]]) -> None:
        self._read = read
        self._asked: dict[Key, asyncio.Future[Row | None]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def __call__(self, key: Key) -> Row | None:
        """Return the row of that key, or None; it is shared with others who asked for it, and not to be changed."""
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_seen)
        if self._reader is None:
            self._reader = asyncio.create_task(self._answer())
        return await asyncio.shield(answer)

    async def _answer(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, {}
                try:
                    found = await self._read(asked.keys())
                except asyncio.CancelledError:
                    for answer in asked.values():
                        answer.cancel()
                    raise
                except Exception as error:  # noqa: BLE001 - it is the askers' to handle
                    for answer in asked.values():
                        answer.set_exception(error)
                else:
                    for key, answer in asked.items():
                        answer.set_result(found.get(key))
        finally:
            self._reader = None


def _seen(answer: asyncio.Future[Row | None]) -> None:
    """Whoever asked may have gone away: then nobody looks at what was raised."""
    if not answer.cancelled():
        answer.exception()
