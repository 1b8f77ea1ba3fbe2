"""What owners have used and may use, in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.ports.usage import UsageRepository
from domain.clip import ClipId
from domain.quota import DAY, MONTH, Quota, Used
from domain.task import OwnerId, Task, TaskId


@dataclass(frozen=True, slots=True)
class Charge:
    """What one task or clip has cost."""

    owner: OwnerId
    at: datetime
    size: int
    audio_ms: int = 0
    requests: int = 1


class MemoryUsage(UsageRepository):
    """Keeps them in somebody's copies of what is stored; `every` gives all tasks."""

    def __init__(self, charges: dict[UUID, Charge], quotas: dict[UUID, Quota], every: Callable[[], list[Task]]) -> None:
        self._charges = charges
        self._quotas = quotas
        self._every = every

    async def charge(self, task_id: TaskId, owner: OwnerId, *, at: datetime, size: int) -> None:
        """Store a charge."""
        self._charges[task_id] = Charge(owner, at, size)

    async def charge_clip(self, clip_id: ClipId, owner: OwnerId, *, at: datetime, size: int) -> None:
        """Store a charge that is no request."""
        self._charges[clip_id] = Charge(owner, at, size, requests=0)

    async def measure(self, task_id: TaskId, *, audio_ms: int | None = None, size: int | None = None) -> None:
        """Note what is known now."""
        if charge := self._charges.get(task_id):
            self._charges[task_id] = replace(
                charge,
                audio_ms=charge.audio_ms if audio_ms is None else audio_ms,
                size=charge.size if size is None else size,
            )

    async def used(self, owner: OwnerId, *, now: datetime) -> Used:
        """Add up."""
        month = [each for each in self._charges.values() if each.owner == owner and each.at > now - MONTH]
        day = [each.at for each in month if each.at > now - DAY and each.requests]
        return Used(
            requests=len(day),
            audio_ms=sum(each.audio_ms for each in month),
            bytes=sum(each.size for each in month),
            tasks=sum(task.owner == owner and not task.status.final for task in self._every()),
            since_day=min(day, default=None),
            since_month=min((each.at for each in month), default=None),
        )

    async def forget(self, owner: OwnerId, *, before: datetime) -> None:
        """Remove old charges."""
        for task_id in [key for key, each in self._charges.items() if each.owner == owner and each.at < before]:
            del self._charges[task_id]

    async def quota(self, owner: OwnerId) -> Quota | None:
        """Return the owner's own quota."""
        return self._quotas.get(owner)

    async def set_quota(self, owner: OwnerId, quota: Quota | None) -> None:
        """Replace the owner's quota."""
        self._quotas.pop(owner, None)
        if quota is not None:
            self._quotas[owner] = quota

    async def quotas(self) -> Mapping[OwnerId, Quota]:
        """Return every owner's own quota."""
        return {OwnerId(owner): quota for owner, quota in self._quotas.items()}
