"""Recording who did what: in the unit of work that does it, or, what is only read, in a batch a moment later.

Who asks is said once for each request, by whoever lets it in, and holds for all that is done for it. Reads are kept for
at most half a second before they are written; a process that is killed loses no more, and one that is stopped nothing.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import structlog

from application.origin import current_origin
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from domain.audit import ANONYMOUS, SYSTEM, Action, Fact, Thing
from domain.errors import DatabaseUnavailable, StorageFull

_EVERY_SECONDS = 0.5
_MOST = 20_000
"""Facts that are kept while the database is away, some megabytes; then the service has other worries."""
_AT_ONCE = 500
_log = structlog.get_logger()


class Notes:
    """Facts that wait to be written together; the same one twice in a batch is one."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow
        self._waiting: dict[Fact, float] = {}
        self._turn = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None

    def add(self, fact: Fact) -> None:
        """Have the fact written soon; it needs a running loop."""
        if len(self._waiting) < _MOST:
            self._waiting.setdefault(fact, time.monotonic())
        else:
            _log.error("audit_entries_lost", reason="the database is away for too long")
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon())

    async def flush(self) -> None:
        """Write what waits.

        Raises:
            DatabaseUnavailable, StorageFull: not now; all of it waits still.
        """
        async with self._turn:
            while batch := dict(list(self._waiting.items())[:_AT_ONCE]):
                now = time.monotonic()
                facts = [replace(fact, age=timedelta(seconds=now - noted)) for fact, noted in batch.items()]
                async with self._new_uow() as uow:
                    await uow.audit.add(*facts)
                    await uow.commit()
                for fact in batch:
                    del self._waiting[fact]

    async def close(self) -> None:
        """Write what waits, and stop."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        try:
            await self.flush()
        except (DatabaseUnavailable, StorageFull) as error:
            _log.error("audit_entries_lost", count=len(self._waiting), reason=error.detail)

    async def _write_soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await self.flush()
            except (DatabaseUnavailable, StorageFull):
                continue


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks, on whose side, from where; `notes` takes what need not be written with anything else."""

    actor: str = SYSTEM
    owner: UUID | None = None
    address: str = ""
    notes: Notes | None = None


_asking: ContextVar[Asking] = ContextVar("asking", default=Asking())  # noqa: B039 - it is frozen


@contextmanager
def asked_by(asking: Asking) -> Iterator[None]:
    """Do all inside for whoever that is, in this task and those that it starts."""
    before = _asking.set(asking)
    try:
        yield
    finally:
        _asking.reset(before)


@contextmanager
def asked_from(address: str, notes: Notes) -> Iterator[None]:
    """Serve a request of somebody of whom nothing is known yet but from where it comes."""
    with asked_by(Asking(actor=ANONYMOUS, address=address, notes=notes)):
        yield


def let_in(actor: str, owner: UUID) -> None:
    """Say who the request is from, once that is known; it holds to the request's end."""
    _asking.set(replace(_asking.get(), actor=actor, owner=owner))


async def record(
    uow: UnitOfWork, action: Action, thing: Thing, about: UUID, *, owner: UUID | None = None, detail: str = ""
) -> None:
    """Record a fact in the unit of work that makes it one; `owner` is whose it is, if not the asker's own."""
    await uow.audit.add(_fact(action, thing, about, owner, detail))


def note(action: Action, thing: Thing, about: UUID, *, detail: str = "") -> None:
    """Record a fact a moment later, if this is done for a request."""
    if (notes := _asking.get().notes) is not None:
        notes.add(_fact(action, thing, about, None, detail))


def note_refusal(thing: Thing, about: UUID) -> None:
    """Record that somebody asked after what is somebody else's; nothing else may tell it from what is not there."""
    note(Action.REFUSED, thing, about)


def _fact(action: Action, thing: Thing, about: UUID, owner: UUID | None, detail: str) -> Fact:
    asking = _asking.get()
    return Fact(
        action=action, thing=thing, object=str(about), actor=asking.actor, owner=owner or asking.owner, detail=detail,
        request_id=current_origin().request_id, address=asking.address,
    )  # fmt: skip
