"""The installation's figures in an SQL database: each is read along an index, and none reads the history's rows."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import json
from sqlalchemy import CursorResult, Executable, bindparam, func, or_, select, text

from adapters.persistence.tables import database_now, tasks
from adapters.persistence.tables_census import counters
from adapters.persistence.tables_clips import clips
from adapters.persistence.tables_uploads import uploads
from adapters.persistence.tables_webhooks import deliveries, webhooks
from application.ports.census import CensusRepository
from domain.census import Census, Kept
from domain.task import MediaSource, TaskStatus
from domain.webhook import DeliveryState

Run = Callable[..., Awaitable[CursorResult[Any]]]

SHARDS = 16
_ATTEMPTS, _STORED = "attempts", "stored"
_UPSERT = "INSERT INTO counters (name, label, shard, value) VALUES (:name, :label, :shard, :value) ON CONFLICT"
_ADD = text(f"{_UPSERT} (name, label, shard) DO UPDATE SET value = counters.value + excluded.value")
_SET = text(f"{_UPSERT} (name, label, shard) DO UPDATE SET value = excluded.value")
_BY_STATUS = select(tasks.c.status, func.count().label("many")).group_by(tasks.c.status)
_DUE = select(func.count().label("many"), func.min(tasks.c.run_after).label("oldest")).where(
    tasks.c.status == TaskStatus.QUEUED.value, tasks.c.run_after <= bindparam("now", type_=tasks.c.run_after.type)
)
_RUNNING = select(func.count()).where(tasks.c.lease_until.is_not(None))
_COUNTED = select(counters.c.name, counters.c.label, func.sum(counters.c.value).label("value")).group_by(
    counters.c.name, counters.c.label
)
_pending = deliveries.c.state == DeliveryState.PENDING.value
_PENDING = select(func.count()).where(_pending)


class SqlCensus(CensusRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def attempt_ended(self, cause: str, *, by: int) -> None:
        """Add one to a shard: its row is locked until the commit."""
        await self._run(_ADD, {"name": _ATTEMPTS, "label": cause, "shard": by % SHARDS, "value": 1})

    async def take(self) -> Census:
        """Read one figure after the other."""
        now: datetime = (await self._run(select(database_now()))).scalar_one()
        by_status = {row.status: row.many for row in await self._run(_BY_STATUS)}
        due = (await self._run(_DUE, {"now": now})).one()
        running = (await self._run(_RUNNING)).scalar_one()
        counted = {(row.name, row.label): int(row.value) for row in await self._run(_COUNTED)}
        undelivered = (await self._run(_PENDING)).scalar_one()
        overdue = (await self._run(_overdue(now))).scalar_one_or_none()
        return Census(
            tasks={status: by_status.get(status.value, 0) for status in TaskStatus},
            waiting=due.many,
            oldest_s=_seconds_since(due.oldest, now),
            running=running,
            attempts={label: value for (name, label), value in counted.items() if name == _ATTEMPTS},
            undelivered=undelivered,
            overdue_s=_seconds_since(overdue, now),
            stored={kind: counted[_STORED, kind] for kind in Kept if (_STORED, kind) in counted},
        )

    async def recordings(self, *, after: str, limit: int) -> Mapping[str, int]:
        """Go along the index of the keys, in which those who share a recording stand together."""
        page = (
            select(tasks.c.media_key, func.min(tasks.c.media).label("media"))
            .where(tasks.c.media_key > after, tasks.c.media_purged_at.is_(None))
            .where(~select(clips.c.id).where(clips.c.media_key == tasks.c.media_key).exists())
            .group_by(tasks.c.media_key)
            .order_by(tasks.c.media_key)
            .limit(limit)
        )
        return {row.media_key: json.decode(row.media, type=MediaSource).size for row in await self._run(page)}

    async def others(self) -> Mapping[Kept, int]:
        """Add them up; they are few beside the tasks."""
        sums = {Kept.CLIPS: clips.c.size, Kept.UPLOADS: uploads.c.size}
        return {kind: int((await self._run(select(func.sum(size)))).scalar_one() or 0) for kind, size in sums.items()}

    async def stored(self, sums: Mapping[Kept, int]) -> None:
        """Put them beside the counts."""
        for kind, value in sums.items():
            await self._run(_SET, {"name": _STORED, "label": kind.value, "shard": 0, "value": value})


def _overdue(now: datetime) -> Executable:
    """Ask since when the first is due that would be sent now: in the order of the index of those that are pending."""
    ready = or_(webhooks.c.paused_until.is_(None), webhooks.c.paused_until <= now)
    return (
        select(deliveries.c.next_at)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
        .where(_pending, deliveries.c.next_at <= now, webhooks.c.disabled_at.is_(None), ready)
        .order_by(deliveries.c.next_at)
        .limit(1)
    )


def _seconds_since(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else max(0.0, (now - at).total_seconds())
