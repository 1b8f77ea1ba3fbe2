"""Trying a step again while what it needs is away; whoever calls says for how long that makes sense."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from domain.errors import ColloquyError

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_log = structlog.get_logger()


async def patiently(
    step: Callable[[], Awaitable[T]], *, left: Callable[[], float], away: tuple[type[ColloquyError], ...]
) -> T:
    """Return what `step` gives, repeating it after errors of the kinds `away` while `left` tells seconds to spare.

    A step whose answer was lost may have been done: it must stand being done again. The last error is passed on.
    """
    pause = _FIRST_PAUSE
    while True:
        try:
            return await step()
        except away as error:
            if left() <= pause:
                raise
            _log.warning("trying_again", code=error.reason, detail=error.detail, pause_seconds=pause)
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE, 2 * pause)
