"""Reading the audit log, page by page or whole, and keeping it no longer than was configured."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from application.audit import note
from application.ports.audit import AuditFilter
from application.ports.persistence import NewUnitOfWork
from domain.audit import Action, Entry, Thing

_STEP = 500
_PRUNED_AT_ONCE = 5_000


class QueryAudit:
    """Shows what was done on an owner's side, or to the operator all of it. That an owner looks is recorded too."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def page(self, only: AuditFilter, *, before: UUID | None, limit: int) -> Sequence[Entry]:
        """Return up to `limit` entries, the latest first, from after `before`."""
        async with self._new_uow() as uow:
            return await uow.audit.page(only, before=before, limit=limit)

    async def of(self, owner: UUID, only: AuditFilter, *, before: UUID | None, limit: int) -> Sequence[Entry]:
        """Return the same of what concerns the owner."""
        note(Action.READ, Thing.AUDIT, owner)
        return await self.page(replace(only, owner=owner), before=before, limit=limit)

    async def all(self, only: AuditFilter, *, most: int | None = None) -> AsyncIterator[Entry]:
        """Give every entry, or so many, the latest first; no transaction stays open meanwhile."""
        before, left = None, most
        while page := await self.page(only, before=before, limit=_STEP if left is None else min(left, _STEP)):
            for entry in page:
                yield entry
            before, left = page[-1].id, None if left is None else left - len(page)

    def export(self, owner: UUID, only: AuditFilter) -> AsyncIterator[Entry]:
        """Give every entry that concerns the owner."""
        note(Action.EXPORTED, Thing.AUDIT, owner)
        return self.all(replace(only, owner=owner))


class PruneAudit:
    """Removes what is older than `kept`, a day at least; None is never."""

    def __init__(self, *, new_uow: NewUnitOfWork, kept: timedelta | None) -> None:
        self._new_uow = new_uow
        self._kept = kept

    async def __call__(self) -> int:
        """Remove it in steps; return how many entries that were."""
        pruned = 0
        while self._kept is not None:
            async with self._new_uow() as uow:
                # Just over a day is not yet what may go, if a day is what was configured.
                before = await uow.tasks.now() - self._kept - timedelta(seconds=1)
                step = await uow.audit.prune(before=before, limit=_PRUNED_AT_ONCE)
                await uow.commit()
            pruned += step
            if step < _PRUNED_AT_ONCE:
                break
        return pruned
