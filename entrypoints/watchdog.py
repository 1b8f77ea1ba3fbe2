"""Notices when the event loop is blocked: everybody in the process waits then, and no other number says why."""

import asyncio
import time
from collections.abc import Callable

import structlog

STEP_SECONDS = 0.05
"""A block is seen in full but for as much as this; twenty looks a second cost a thousandth of a core."""
BLOCKED_SECONDS = 0.2
QUIET_SECONDS = 10.0
"""Between two warnings: a loop that is blocked all the time is one piece of news."""
_log = structlog.get_logger()


async def watch_loop(late: Callable[[float], None]) -> None:
    """Tell `late` at every step by how many seconds it came too late, until cancelled; warn of what is too much."""
    warned_at, unsaid, longest = float("-inf"), 0, 0.0
    while True:
        asked = time.monotonic()
        await asyncio.sleep(STEP_SECONDS)
        now = time.monotonic()
        lag = max(0.0, now - asked - STEP_SECONDS)
        late(lag)
        if lag > BLOCKED_SECONDS:
            unsaid, longest = unsaid + 1, max(longest, lag)
        if unsaid and now - warned_at >= QUIET_SECONDS:
            _log.warning("event_loop_blocked", milliseconds=round(longest * 1000), times=unsaid)
            warned_at, unsaid, longest = now, 0, 0.0
