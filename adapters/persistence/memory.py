"""Units of work over encoded bytes in memory, for tests and trials; what a process keeps here dies with it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from msgspec import json

from application.ports.persistence import (
    ApiKeyRepository,
    CheckpointRepository,
    StaleTask,
    TaskRepository,
    UnitOfWork,
)
from application.ports.system import Clock
from domain.access import ApiKey
from domain.errors import LeaseLost
from domain.task import OwnerId, Task, TaskId, TaskStatus


@dataclass(slots=True)
class _Rows:
    """What is stored; encoded, so that nobody holds a live part of it."""

    tasks: dict[UUID, bytes] = field(default_factory=dict)
    checkpoints: dict[tuple[UUID, str], bytes] = field(default_factory=dict)
    api_keys: dict[UUID, bytes] = field(default_factory=dict)

    def copy(self) -> "_Rows":
        return _Rows(dict(self.tasks), dict(self.checkpoints), dict(self.api_keys))


class MemoryDatabase:
    """What the units of work share; `clock` is the database's clock. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rows = _Rows()
        self.turn = asyncio.Lock()


class MemoryTasks(TaskRepository):
    """Tasks as JSON."""

    def __init__(self, rows: _Rows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock

    def _all(self) -> list[Task]:
        return [json.decode(row, type=Task) for row in self._rows.tasks.values()]

    async def add(self, task: Task) -> None:
        """Store a new task."""
        self._rows.tasks[task.id] = json.encode(task)

    async def get(self, task_id: TaskId) -> Task | None:
        """Return the task, or None."""
        row = self._rows.tasks.get(task_id)
        return None if row is None else json.decode(row, type=Task)

    async def save(self, task: Task) -> None:
        """Store a change over the version that was read."""
        stored = await self.get(task.id)
        if stored is None or stored.version != task.version:
            raise StaleTask(f"task {task.id} is no longer at version {task.version}")
        self._rows.tasks[task.id] = json.encode(replace(task, version=task.version + 1))
        task.version += 1

    async def delete(self, task_id: TaskId) -> None:
        """Remove the task and its checkpoints."""
        self._rows.tasks.pop(task_id, None)
        for key in [key for key in self._rows.checkpoints if key[0] == task_id]:
            del self._rows.checkpoints[key]

    async def page(self, owner: OwnerId, *, before: TaskId | None, limit: int) -> Sequence[Task]:
        """Return the owner's tasks, newest first."""
        own = [task for task in self._all() if task.owner == owner and (before is None or task.id < before)]
        return sorted(own, key=lambda task: task.id, reverse=True)[:limit]

    def _queued(self) -> list[Task]:
        queued = [task for task in self._all() if task.status is TaskStatus.QUEUED]
        return sorted(queued, key=lambda task: (task.run_after, task.id))

    async def due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return queued tasks whose time has come."""
        return [task.id for task in self._queued() if task.run_after <= now][:limit]

    async def leased(self, *, expired_by: datetime | None = None) -> Sequence[TaskId]:
        """Return tasks under a lease, or those whose lease ran out."""
        leases = [(task.lease.until, task.id) for task in self._all() if task.lease]
        return [task_id for until, task_id in sorted(leases) if expired_by is None or until <= expired_by]

    async def position(self, task: Task) -> int:
        """Count the queued tasks before this one."""
        return sum((other.run_after, other.id) < (task.run_after, task.id) for other in self._queued())

    async def now(self) -> datetime:
        """Ask the clock."""
        return self._clock.now()


class MemoryCheckpoints(CheckpointRepository):
    """Finished parts by task and name."""

    def __init__(self, rows: _Rows, tasks: MemoryTasks) -> None:
        self._rows = rows
        self._tasks = tasks

    async def put(self, task_id: TaskId, name: str, *, token: int, payload: bytes) -> None:
        """Store a part if the lease is still the token's."""
        task = await self._tasks.get(task_id)
        if task is None or task.lease is None or task.lease.token != token:
            raise LeaseLost("another worker holds this task now")
        self._rows.checkpoints[task_id, name] = payload

    async def all(self, task_id: TaskId) -> dict[str, bytes]:
        """Return every part by name."""
        return {name: payload for (of, name), payload in self._rows.checkpoints.items() if of == task_id}

    async def clear(self, task_id: TaskId) -> None:
        """Remove every part."""
        for name in await self.all(task_id):
            del self._rows.checkpoints[task_id, name]


class MemoryApiKeys(ApiKeyRepository):
    """API keys as JSON."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows

    async def add(self, key: ApiKey) -> None:
        """Store a key, new or changed."""
        self._rows.api_keys[key.id] = json.encode(key)

    async def by_digest(self, digest: str) -> ApiKey | None:
        """Find a key by its digest."""
        return next((key for key in await self.all() if key.digest == digest), None)

    async def get(self, key_id: UUID) -> ApiKey | None:
        """Return the key, or None."""
        row = self._rows.api_keys.get(key_id)
        return None if row is None else json.decode(row, type=ApiKey)

    async def all(self) -> Sequence[ApiKey]:
        """Return every key, oldest first."""
        keys = [json.decode(row, type=ApiKey) for row in self._rows.api_keys.values()]
        return sorted(keys, key=lambda key: (key.created_at, key.id))


class MemoryUnitOfWork(UnitOfWork):
    """One transaction at a time, over a copy that takes the rows' place on commit."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def __aenter__(self) -> Self:
        """Wait for the turn and begin."""
        await asyncio.sleep(0)  # let others run meanwhile, as every real database does
        await self._database.turn.acquire()
        self._rows = self._database.rows.copy()
        self.tasks = MemoryTasks(self._rows, self._database.clock)
        self.checkpoints = MemoryCheckpoints(self._rows, self.tasks)
        self.api_keys = MemoryApiKeys(self._rows)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget what was not committed."""
        self._database.turn.release()

    async def commit(self) -> None:
        """Put the changes in place."""
        self._database.rows = self._rows.copy()
