"""Deletions, what is kept, and chores over encoded bytes in memory."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import json

from application.ports.deletions import ChoreRepository, DeletionRepository, Holding, KeepingRepository
from application.ports.system import Clock
from domain.clip import ClipId, clip_key
from domain.deletion import Deletion
from domain.task import OwnerId, Task, TaskId, TaskKind


class MemoryDeletions(DeletionRepository):
    """Tombstones as JSON."""

    def __init__(self, rows: dict[UUID, bytes]) -> None:
        self._rows = rows

    async def add(self, deletion: Deletion) -> None:
        """Store a new one, unless there is one."""
        self._rows.setdefault(deletion.task_id, json.encode(deletion))

    async def get(self, task_id: TaskId) -> Deletion | None:
        """Return the deletion, or None."""
        row = self._rows.get(task_id)
        return None if row is None else json.decode(row, type=Deletion)

    async def save(self, deletion: Deletion) -> None:
        """Store a change."""
        self._rows[deletion.task_id] = json.encode(deletion)

    async def page(self, owner: OwnerId, *, before: TaskId | None, limit: int) -> Sequence[Deletion]:
        """Return the owner's deletions by task id downwards."""
        own = [each for each in self._all() if each.owner == owner and (before is None or each.task_id < before)]
        return sorted(own, key=lambda each: each.task_id, reverse=True)[:limit]

    async def unfinished(self, *, limit: int) -> Sequence[TaskId]:
        """Return those that are not complete."""
        found = [each for each in self._all() if each.completed_at is None]
        return [each.task_id for each in sorted(found, key=lambda each: (each.requested_at, each.task_id))][:limit]

    def _all(self) -> list[Deletion]:
        return [json.decode(row, type=Deletion) for row in self._rows.values()]


class MemoryKeeping(KeepingRepository):
    """What must be kept, as the tasks and clips say it."""

    def __init__(self, tasks: dict[UUID, bytes], clips: dict[UUID, bytes]) -> None:
        self._tasks = tasks
        self._clips = clips

    async def holders(self, media_key: str) -> int:
        """Count the tasks, and the clip, that hold this recording."""
        return sum(_holds(task) and task.media.key == media_key for task in self._all()) + (media_key in self._kept())

    async def revising(self, parent: TaskId) -> Sequence[TaskId]:
        """Return the tasks that revise this one."""
        return sorted(task.id for task in self._all() if _revises(task, parent))

    async def media_due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return ended tasks that need not hold their recording any longer."""
        due = [task for task in self._all() if task.status.final and _holds(task)]
        return _over([(task, task.retention.media) for task in due], now)[:limit]

    async def transcripts_due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return ended tasks whose transcript's age has come."""
        tasks = self._all()
        revised = _revised_now(tasks)
        due = [task for task in tasks if task.status.final and task.id not in revised]
        return _over([(task, task.retention.transcript) for task in due], now)[:limit]

    async def holdings(self, *, after: TaskId | None, limit: int) -> Sequence[Holding]:
        """Return what tasks hold, by id upwards."""
        tasks = self._all()
        revised = _revised_now(tasks)
        found = sorted((task for task in tasks if after is None or task.id > after), key=lambda task: task.id)
        return [_holding(task, revised) for task in found[:limit]]

    async def holding(self, task_ids: Collection[TaskId]) -> Sequence[Holding]:
        """Return what these tasks hold."""
        tasks = self._all()
        revised = _revised_now(tasks)
        return [_holding(task, revised) for task in tasks if task.id in task_ids]

    async def held(self, media_keys: Collection[str]) -> set[str]:
        """Return those of the keys whose recording some task or clip holds."""
        return ({task.media.key for task in self._all() if _holds(task)} | self._kept()) & set(media_keys)

    def _kept(self) -> set[str]:
        return {clip_key(ClipId(clip_id)) for clip_id in self._clips}

    def _all(self) -> list[Task]:
        return [json.decode(row, type=Task) for row in self._tasks.values()]


def _holding(task: Task, revised: set[TaskId | None]) -> Holding:
    return Holding(
        task_id=task.id,
        media_key=task.media.key if _holds(task) and not task.media.url else None,
        revision=0 if task.kind is TaskKind.REVISE else task.revision,
        at_rest=task.status.final and task.id not in revised,
    )


def _revised_now(tasks: list[Task]) -> set[TaskId | None]:
    return {task.parent for task in tasks if task.kind is TaskKind.REVISE and not task.status.final}


def _holds(task: Task) -> bool:
    over = task.kind is TaskKind.REVISE and (task.status.final or task.cancel_requested)
    return task.media_purged_at is None and not over


def _revises(task: Task, parent: TaskId) -> bool:
    return task.kind is TaskKind.REVISE and task.parent == parent


def _over(tasks: list[tuple[Task, timedelta | None]], now: datetime) -> list[TaskId]:
    over = [
        task.id
        for task, age in tasks
        if age is not None and task.finished_at is not None and task.finished_at + age <= now
    ]
    return sorted(over)


class MemoryChores(ChoreRepository):
    """Chores and when they are due."""

    def __init__(self, rows: dict[str, datetime], clock: Clock) -> None:
        self._rows = rows
        self._clock = clock

    async def take(self, name: str, *, every: timedelta) -> bool:
        """Take the next turn."""
        now = self._clock.now()
        if self._rows.get(name, now) > now:
            return False
        self._rows[name] = now + every
        return True
