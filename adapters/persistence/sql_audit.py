"""The audit log in its table; it inserts, selects, and prunes as the table's triggers allow."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, Row, select

from adapters.persistence.tables import database_now
from adapters.persistence.tables_audit import audit_log, audit_pruning
from adapters.system import Uuid7Factory
from application.ports.audit import AuditFilter, AuditRepository
from domain.audit import LEAST_KEPT, Action, Entry, Fact, Thing

Run = Callable[..., Awaitable[CursorResult[Any]]]

_log = audit_log
_ids = Uuid7Factory()


class SqlAudit(AuditRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, *facts: Fact) -> None:
        """Keep them."""
        if not facts:
            return
        # Most facts are of this instant, and need not ask for it first.
        now = await self._now() if any(fact.age for fact in facts) else None
        await self._run(_log.insert().values([_to_row(fact, now) for fact in facts]))

    async def page(self, only: AuditFilter, *, before: UUID | None, limit: int) -> Sequence[Entry]:
        """Return a page by id downwards."""
        page = select(_log).order_by(_log.c.id.desc()).limit(limit)
        for column, value in (
            (_log.c.owner, only.owner), (_log.c.actor, only.actor), (_log.c.action, only.action),
            (_log.c.object, only.object),
        ):  # fmt: skip
            if value is not None:
                page = page.where(column == value)
        if only.since is not None:
            page = page.where(_log.c.at >= only.since)
        if only.until is not None:
            page = page.where(_log.c.at < only.until)
        return [_from_row(row) for row in await self._run(page if before is None else page.where(_log.c.id < before))]

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Say before when, delete, and take it back: the triggers admit what is said."""
        if before > await self._now() - LEAST_KEPT:
            raise ValueError("the audit log keeps what is less than a day old")
        old = select(_log.c.id).where(_log.c.at < before).order_by(_log.c.at).limit(limit)
        await self._run(audit_pruning.insert().values(before=before))
        pruned = (await self._run(_log.delete().where(_log.c.id.in_(old)))).rowcount
        await self._run(audit_pruning.delete())
        return pruned

    async def _now(self) -> datetime:
        now: datetime = (await self._run(select(database_now()))).scalar_one()
        return now


def _to_row(fact: Fact, now: datetime | None) -> dict[str, Any]:
    return {
        "id": _ids.new(), "at": database_now() if now is None else now - fact.age,
        "action": fact.action.value, "thing": fact.thing.value,
        "object": fact.object, "actor": fact.actor, "owner": fact.owner, "detail": fact.detail,
        "request_id": fact.request_id, "address": fact.address,
    }  # fmt: skip


def _from_row(row: Row[Any]) -> Entry:
    fact = Fact(
        action=Action(row.action), thing=Thing(row.thing), object=row.object, actor=row.actor, owner=row.owner,
        detail=row.detail, request_id=row.request_id, address=row.address,
    )  # fmt: skip
    return Entry(id=row.id, at=row.at, fact=fact)
