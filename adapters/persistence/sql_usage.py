"""What owners have used and may use, in its tables."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Executable, func, select

from adapters.persistence.tables import tasks
from adapters.persistence.tables_usage import quotas, usage
from application.ports.usage import UsageRepository
from domain.clip import ClipId
from domain.quota import DAY, MONTH, Quota, Used
from domain.task import OwnerId, TaskId

Run = Callable[[Executable], Awaitable[CursorResult[Any]]]


class SqlUsage(UsageRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def charge(self, task_id: TaskId, owner: OwnerId, *, at: datetime, size: int) -> None:
        """Store a charge."""
        await self._run(usage.insert().values(task_id=task_id, owner=owner, at=at, size=size, audio_ms=0))

    async def charge_clip(self, clip_id: ClipId, owner: OwnerId, *, at: datetime, size: int) -> None:
        """Store a charge that is no request."""
        charge = {"task_id": clip_id, "owner": owner, "at": at, "size": size, "audio_ms": 0, "requests": 0}
        await self._run(usage.insert().values(charge))

    async def measure(self, task_id: TaskId, *, audio_ms: int | None = None, size: int | None = None) -> None:
        """Note what is known now."""
        known = {name: value for name, value in (("audio_ms", audio_ms), ("size", size)) if value is not None}
        await self._run(usage.update().where(usage.c.task_id == task_id).values(known))

    async def used(self, owner: OwnerId, *, now: datetime) -> Used:
        """Add up, by the index of the owner's charges and those of its waiting and its running tasks."""
        today = usage.c.at > now - DAY
        sums = select(
            func.coalesce(func.sum(usage.c.requests).filter(today), 0).label("requests"),
            func.coalesce(func.sum(usage.c.audio_ms), 0).label("audio_ms"),
            func.coalesce(func.sum(usage.c.size), 0).label("bytes"),
            func.min(usage.c.at).filter(today & (usage.c.requests > 0)).label("since_day"),
            func.min(usage.c.at).label("since_month"),
        ).where((usage.c.owner == owner) & (usage.c.at > now - MONTH))
        row = (await self._run(sums)).one()
        under_way = 0
        for part in (tasks.c.status == "queued", tasks.c.lease_until.is_not(None)):
            count = select(func.count()).select_from(tasks).where((tasks.c.owner == owner) & part)
            under_way += (await self._run(count)).scalar_one()
        return Used(
            requests=int(row.requests),
            audio_ms=int(row.audio_ms),  # PostgreSQL adds up to a decimal
            bytes=int(row.bytes),
            tasks=under_way,
            since_day=row.since_day,
            since_month=row.since_month,
        )

    async def forget(self, owner: OwnerId, *, before: datetime) -> None:
        """Remove old charges."""
        await self._run(usage.delete().where((usage.c.owner == owner) & (usage.c.at < before)))

    async def quota(self, owner: OwnerId) -> Quota | None:
        """Return the owner's own quota."""
        row = (await self._run(select(quotas).where(quotas.c.owner == owner))).one_or_none()
        return None if row is None else _quota(row._asdict())

    async def set_quota(self, owner: OwnerId, quota: Quota | None) -> None:
        """Replace the owner's quota."""
        await self._run(quotas.delete().where(quotas.c.owner == owner))
        if quota is not None:
            await self._run(quotas.insert().values(owner=owner, **asdict(quota)))

    async def quotas(self) -> Mapping[OwnerId, Quota]:
        """Return every owner's own quota."""
        rows = await self._run(select(quotas).order_by(quotas.c.owner))
        return {OwnerId(row.owner): _quota(row._asdict()) for row in rows}


def _quota(row: dict[str, Any]) -> Quota:
    return Quota(**{name: value for name, value in row.items() if name != "owner"})
