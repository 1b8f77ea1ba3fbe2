"""Units of work over encoded bytes in memory, for tests and trials; what a process keeps here dies with it."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from msgspec import json

from adapters.persistence.memory_audit import MemoryAudit
from adapters.persistence.memory_batches import MemoryBatches
from adapters.persistence.memory_census import MemoryCensus
from adapters.persistence.memory_clips import MemoryClips
from adapters.persistence.memory_deletions import MemoryChores, MemoryDeletions, MemoryKeeping
from adapters.persistence.memory_idempotency import MemoryIdempotency, Requests
from adapters.persistence.memory_paces import MemoryPaces
from adapters.persistence.memory_pages import passes, reusable
from adapters.persistence.memory_resumables import MemoryResumables
from adapters.persistence.memory_revisions import MemoryEdits, MemoryRevisions, MemoryTranscriptTexts, Numbered
from adapters.persistence.memory_uploads import MemoryUploads
from adapters.persistence.memory_usage import Charge, MemoryUsage
from adapters.persistence.memory_users import MemorySessions, MemoryUsers
from adapters.persistence.memory_vault import MemoryVaultKeys
from adapters.persistence.memory_webhooks import MemoryDeliveries, MemoryWebhooks, forget_task
from application.ports.persistence import (
    ApiKeyRepository,
    CheckpointRepository,
    StaleTask,
    TaskRepository,
    UnitOfWork,
)
from application.ports.system import Clock
from application.ports.task_filter import EVERYTHING, TaskFilter
from application.ports.vault import WrappedKey
from domain.access import ApiKey, KeyId
from domain.audit import Entry
from domain.census import Kept
from domain.errors import LeaseLost
from domain.pace import Pace, Work
from domain.quota import Quota
from domain.task import OwnerId, Task, TaskId, TaskStatus
from domain.turns import Line, claim_order, tasks_before, waiting_since


@dataclass(slots=True)
class _Rows:
    """What is stored; encoded, so that nobody holds a live part of it."""

    tasks: dict[UUID, bytes] = field(default_factory=dict)
    checkpoints: dict[tuple[UUID, str], bytes] = field(default_factory=dict)
    api_keys: dict[UUID, bytes] = field(default_factory=dict)
    revisions: Numbered = field(default_factory=dict)
    edits: Numbered = field(default_factory=dict)
    texts: dict[UUID, bytes] = field(default_factory=dict)
    uploads: dict[UUID, bytes] = field(default_factory=dict)
    clips: dict[UUID, bytes] = field(default_factory=dict)
    resumables: dict[UUID, bytes] = field(default_factory=dict)
    users: dict[UUID, bytes] = field(default_factory=dict)
    sessions: dict[UUID, bytes] = field(default_factory=dict)
    deletions: dict[UUID, bytes] = field(default_factory=dict)
    chores: dict[str, datetime] = field(default_factory=dict)
    paces: dict[Work, Pace] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    stored: dict[Kept, int] = field(default_factory=dict)
    turns: dict[tuple[int, OwnerId], datetime] = field(default_factory=dict)
    charges: dict[UUID, Charge] = field(default_factory=dict)
    quotas: dict[UUID, Quota] = field(default_factory=dict)
    idempotency_keys: Requests = field(default_factory=dict)
    batches: dict[UUID, bytes] = field(default_factory=dict)
    webhooks: dict[UUID, bytes] = field(default_factory=dict)
    deliveries: dict[UUID, bytes] = field(default_factory=dict)
    vault_keys: dict[UUID, WrappedKey] = field(default_factory=dict)
    audit: dict[UUID, Entry] = field(default_factory=dict)

    def copy(self) -> "_Rows":
        return _Rows(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})


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

    async def many(self, task_ids: Collection[TaskId]) -> Mapping[TaskId, Task]:
        """Return those that there are."""
        return {task_id: task for task_id in task_ids if (task := await self.get(task_id))}

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
        for numbered in (self._rows.revisions, self._rows.edits):
            for place in [place for place in numbered if place[0] == task_id]:
                del numbered[place]
        self._rows.texts.pop(task_id, None)
        forget_task(self._rows.webhooks, self._rows.deliveries, task_id)

    async def page(
        self, owner: OwnerId, *, before: TaskId | None, limit: int, only: TaskFilter = EVERYTHING
    ) -> Sequence[Task]:
        """Return the owner's tasks that pass, newest first."""
        own = [task for task in self._all() if task.owner == owner and task.id != before and passes(task, only)]
        own.sort(key=lambda task: task.id, reverse=not only.oldest_first)
        return [task for task in own if before is None or (task.id > before) == only.oldest_first][:limit]

    async def same(self, owner: OwnerId, content: str) -> Task | None:
        """Look through the owner's tasks."""
        own = [task for task in self._all() if task.owner == owner and reusable(task, content)]
        return max(own, key=lambda task: task.id, default=None)

    def _lines(self, by: datetime) -> list[tuple[Line, list[tuple[datetime, TaskId]]]]:
        lines: dict[tuple[int, OwnerId], list[tuple[datetime, TaskId]]] = {}
        running: Counter[tuple[int, OwnerId]] = Counter()
        for task in self._all():
            running[task.priority, task.owner] += task.lease is not None
            if task.status is TaskStatus.QUEUED and task.run_after <= by:
                lines.setdefault((task.priority, task.owner), []).append((task.run_after, task.id))
        return [
            (
                Line(
                    priority=key[0], owner=key[1], running=running[key], served_at=self._rows.turns.get(key),
                    oldest=min(line)[0],
                ),
                sorted(line),
            )
            for key, line in lines.items()
        ]  # fmt: skip

    async def due(self, *, now: datetime, limit: int, claiming: bool = False) -> Sequence[TaskId]:  # noqa: ARG002
        """Return queued tasks whose time has come; there is one unit at a time, so nobody else is claiming."""
        lines = self._lines(now)
        served: dict[int, datetime] = {}
        for (priority, _), at in self._rows.turns.items():
            served[priority] = max(at, served.get(priority, at))
        return claim_order(lines, since=waiting_since([line for line, _ in lines], served), now=now, limit=limit)

    async def take_turn(self, task: Task) -> None:
        """Note the line's turn."""
        self._rows.turns[task.priority, task.owner] = task.updated_at

    async def queue_length(self, owner: OwnerId, *, hold: bool = False) -> tuple[int, int]:  # noqa: ARG002
        """Count the queued tasks; there is one unit at a time anyway."""
        owners = [task.owner for task in self._all() if task.status is TaskStatus.QUEUED]
        return len(owners), owners.count(owner)

    async def leased(self, *, expired_by: datetime | None = None) -> Sequence[TaskId]:
        """Return tasks under a lease, or those whose lease ran out."""
        leases = [(task.lease.until, task.id) for task in self._all() if task.lease]
        return [task_id for until, task_id in sorted(leases) if expired_by is None or until <= expired_by]

    async def position(self, task: Task) -> int:
        """Count the due tasks before this one."""
        lines = self._lines(max(task.run_after, self._clock.now()))
        own = next((line for of, line in lines if (of.priority, of.owner) == (task.priority, task.owner)), [])
        before = sum(place < (task.run_after, task.id) for place in own)
        return tasks_before(task, before, [(line, len(tasks)) for line, tasks in lines])

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
        stored = await self.get(key.id)
        revoked = (stored and stored.revoked_at) or key.revoked_at
        self._rows.api_keys[key.id] = json.encode(replace(key, revoked_at=revoked))

    async def used(self, key_id: KeyId, *, at: datetime) -> None:
        """Note the use."""
        if key := await self.get(key_id):
            self._rows.api_keys[key_id] = json.encode(replace(key, last_used_at=at))

    async def by_digest(self, digest: str) -> ApiKey | None:
        """Find a key by its digest."""
        return next((key for key in await self.all() if key.digest == digest), None)

    async def by_digests(self, digests: Collection[str]) -> Mapping[str, ApiKey]:
        """Find keys by their digests."""
        return {key.digest: key for key in await self.all() if key.digest in digests}

    async def get(self, key_id: UUID, *, hold: bool = False) -> ApiKey | None:  # noqa: ARG002
        """Return the key, or None; there is one unit at a time anyway."""
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
        every = self.tasks._all  # noqa: SLF001
        self.revisions = MemoryRevisions(self._rows.revisions, every)
        self.edits = MemoryEdits(self._rows.edits)
        self.texts = MemoryTranscriptTexts(self._rows.texts, every)
        self.uploads = MemoryUploads(self._rows.uploads)
        self.usage = MemoryUsage(self._rows.charges, self._rows.quotas, every)
        self.resumables = MemoryResumables(self._rows.resumables)
        self.clips = MemoryClips(self._rows.clips, every)
        self.users = MemoryUsers(self._rows.users)
        self.sessions = MemorySessions(self._rows.sessions)
        self.idempotency = MemoryIdempotency(self._rows.idempotency_keys, self._rows.tasks)
        self.batches = MemoryBatches(self._rows.batches, every)
        self.deletions = MemoryDeletions(self._rows.deletions)
        self.keeping = MemoryKeeping(self._rows.tasks, self._rows.clips)
        self.chores = MemoryChores(self._rows.chores, self._database.clock)
        self.webhooks = MemoryWebhooks(self._rows.webhooks, self._rows.deliveries)
        self.deliveries = MemoryDeliveries(self._rows.deliveries, self._rows.webhooks)
        self.paces = MemoryPaces(self._rows.paces)
        self.vault_keys = MemoryVaultKeys(self._rows.vault_keys)
        self.audit = MemoryAudit(self._rows.audit, self._database.clock)
        self.census = MemoryCensus(self._rows, self._database.clock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget what was not committed."""
        self._database.turn.release()

    async def commit(self) -> None:
        """Put the changes in place."""
        self._database.rows = self._rows.copy()
