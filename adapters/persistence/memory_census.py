"""The installation's figures in memory: what was counted, and what is counted anew each time."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import json

from application.ports.census import CensusRepository
from application.ports.system import Clock
from domain.census import Census, Kept
from domain.clip import Clip
from domain.task import Task, TaskStatus
from domain.upload import Upload
from domain.webhook import Delivery, DeliveryState, WebhookEndpoint


class Shelves(Protocol):
    """Somebody's copies of what is stored, as far as it is counted; `attempts` and `stored` are counted here."""

    tasks: dict[UUID, bytes]
    clips: dict[UUID, bytes]
    uploads: dict[UUID, bytes]
    webhooks: dict[UUID, bytes]
    deliveries: dict[UUID, bytes]
    attempts: dict[str, int]
    stored: dict[Kept, int]


class MemoryCensus(CensusRepository):
    """Looks through the shelves; `clock` is the database's."""

    def __init__(self, shelves: Shelves, clock: Clock) -> None:
        self._shelves = shelves
        self._clock = clock

    async def attempt_ended(self, cause: str, *, by: int) -> None:  # noqa: ARG002 - nobody waits here
        """Count it."""
        self._shelves.attempts[cause] = self._shelves.attempts.get(cause, 0) + 1

    async def take(self) -> Census:
        """Count everything."""
        now, tasks = self._clock.now(), self._tasks()
        status = Counter(task.status for task in tasks)
        due = [task.run_after for task in tasks if task.status is TaskStatus.QUEUED and task.run_after <= now]
        pending = [each for each in self._deliveries() if each.state is DeliveryState.PENDING]
        overdue = [each.next_at for each in pending if each.next_at <= now and self._listens(each, now)]
        return Census(
            tasks={each: status[each] for each in TaskStatus},
            waiting=len(due),
            oldest_s=(now - min(due)).total_seconds() if due else 0.0,
            running=sum(task.lease is not None for task in tasks),
            attempts=dict(self._shelves.attempts),
            undelivered=len(pending),
            overdue_s=(now - min(overdue)).total_seconds() if overdue else 0.0,
            stored=dict(self._shelves.stored),
        )

    async def recordings(self, *, after: str, limit: int) -> Mapping[str, int]:
        """Look at every task."""
        of_clips = {json.decode(row, type=Clip).key for row in self._shelves.clips.values()}
        held = {task.media.key: task.media.size for task in self._tasks() if task.media_purged_at is None}
        keys = sorted(key for key in held if key > after and key not in of_clips)
        return {key: held[key] for key in keys[:limit]}

    async def others(self) -> Mapping[Kept, int]:
        """Add them up."""
        return {
            Kept.CLIPS: sum(json.decode(row, type=Clip).size for row in self._shelves.clips.values()),
            Kept.UPLOADS: sum(json.decode(row, type=Upload).size for row in self._shelves.uploads.values()),
        }

    async def stored(self, sums: Mapping[Kept, int]) -> None:
        """Remember them."""
        self._shelves.stored.update(sums)

    def _tasks(self) -> list[Task]:
        return [json.decode(row, type=Task) for row in self._shelves.tasks.values()]

    def _deliveries(self) -> list[Delivery]:
        return [json.decode(row, type=Delivery) for row in self._shelves.deliveries.values()]

    def _listens(self, delivery: Delivery, now: datetime) -> bool:
        endpoint = json.decode(self._shelves.webhooks[delivery.endpoint], type=WebhookEndpoint)
        return endpoint.disabled_at is None and (endpoint.paused_until is None or endpoint.paused_until <= now)
