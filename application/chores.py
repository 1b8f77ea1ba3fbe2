"""What a service does beside its work, each thing at a pace of its own, in one process at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from application.ports.persistence import NewUnitOfWork

_LONGEST_WAIT = 60.0
"""Seconds between two looks whether a turn has come: a chore of every hour is caught up with soon after a start."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """Something that may be done any number of times, by anyone, and ought to be done every so often."""

    name: str
    every: timedelta
    do: Callable[[], Awaitable[object]]


class Chores:
    """Does chores. Whose turn it is stands in the database; a turn in which a process died is just missed."""

    def __init__(self, *, new_uow: NewUnitOfWork, chores: Sequence[Chore]) -> None:
        self._new_uow = new_uow
        self._chores = chores

    async def forever(self) -> None:
        """Do them until cancelled, none waiting for another."""
        await asyncio.gather(*[self._repeat(chore) for chore in self._chores])

    async def _repeat(self, chore: Chore) -> None:
        while True:
            await asyncio.sleep(min(chore.every.total_seconds(), _LONGEST_WAIT))
            try:
                if await self._turn(chore):
                    await chore.do()
            except Exception:  # noqa: BLE001 - the next turn may find database and storage well again
                _log.exception("chore_failed", chore=chore.name)

    async def _turn(self, chore: Chore) -> bool:
        async with self._new_uow() as uow:
            # A little less, so that a turn is not missed by a hair and then comes at half the pace.
            taken = await uow.chores.take(chore.name, every=chore.every * 0.9)
            await uow.commit()
            return taken
