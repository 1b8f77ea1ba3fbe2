"""When whoever listens to a stream must leave: the process is about to end, or the credential is good no more."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar.types import Scope

from domain.errors import CallerRefused, ColloquyError, ScopeLacking

ADMIT_AGAIN = "admit_again"
"""Where a connection's state has the question whether its credential is still good."""
LOOK_SECONDS = 4.0
"""Between two looks: what is revoked has its effect within five seconds."""


class Leaving:
    """For one connection; `admit` raises as the guard did once the caller would not be let in any more."""

    def __init__(self, hang_up: asyncio.Event, admit: Callable[[], Awaitable[object]] | None) -> None:
        self._hang_up = hang_up
        self._admit = admit

    @property
    def restarting(self) -> bool:
        """Whether the process is about to end: whoever comes back is served by the next."""
        return self._hang_up.is_set()

    async def wait(self) -> None:
        """Return when it is time."""
        reasons = [asyncio.ensure_future(each) for each in (self._hang_up.wait(), self._refused())]
        try:
            await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in reasons:
                each.cancel()

    async def _refused(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if self._admit:
                    await self._admit()
            except (CallerRefused, ScopeLacking):
                return
            except ColloquyError:  # the database is away: nobody is shut out for that
                continue


def leaving(hang_up: asyncio.Event) -> Callable[[Scope], Leaving]:
    """Make what gives each connection its own."""

    def of(scope: Scope) -> Leaving:
        state: Mapping[str, Any] = scope.get("state", {})
        return Leaving(hang_up, state.get(ADMIT_AGAIN))

    return of
