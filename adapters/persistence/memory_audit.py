"""The audit log in memory; entries are values, which nobody can change in place."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from adapters.system import Uuid7Factory
from application.ports.audit import AuditFilter, AuditRepository
from application.ports.system import Clock
from domain.audit import LEAST_KEPT, Entry, Fact

_ids = Uuid7Factory()


class MemoryAudit(AuditRepository):
    """Keeps entries in `rows`, somebody's copy of what is stored."""

    def __init__(self, rows: dict[UUID, Entry], clock: Clock) -> None:
        self._rows = rows
        self._clock = clock

    async def add(self, *facts: Fact) -> None:
        """Keep them."""
        for fact in facts:
            made = _ids.new()
            self._rows[made] = Entry(id=made, at=self._clock.now() - fact.age, fact=replace(fact, age=timedelta()))

    async def page(self, only: AuditFilter, *, before: UUID | None, limit: int) -> Sequence[Entry]:
        """Look through all entries."""
        found = [
            entry for entry in self._rows.values() if _passes(entry, only) and (before is None or entry.id < before)
        ]
        return sorted(found, key=lambda entry: entry.id, reverse=True)[:limit]

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Remove old entries."""
        if before > self._clock.now() - LEAST_KEPT:
            raise ValueError("the audit log keeps what is less than a day old")
        old = sorted((entry.at, key) for key, entry in self._rows.items() if entry.at < before)[:limit]
        for _, key in old:
            del self._rows[key]
        return len(old)


def _passes(entry: Entry, only: AuditFilter) -> bool:
    fact = entry.fact
    wanted = (only.owner, only.actor, only.action, only.object)
    same = zip(wanted, (fact.owner, fact.actor, fact.action, fact.object), strict=True)
    in_time = (only.since is None or only.since <= entry.at) and (only.until is None or entry.at < only.until)
    return in_time and all(want is None or want == has for want, has in same)
