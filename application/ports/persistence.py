"""The ports to what must be remembered: tasks, their checkpoints, and keys, changed in units of work."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from domain.access import ApiKey
from domain.task import OwnerId, Task, TaskId


class StaleTask(Exception):
    """The task was changed by somebody else since it was read: read it again."""


class TaskRepository(Protocol):
    """Stores tasks. What it returns are copies: a change counts only once it is saved and committed."""

    @abstractmethod
    async def add(self, task: Task) -> None:
        """Store a new task."""

    @abstractmethod
    async def get(self, task_id: TaskId) -> Task | None:
        """Return the task, or None."""

    @abstractmethod
    async def save(self, task: Task) -> None:
        """Store a change and raise `task.version` by one.

        Raises:
            StaleTask: the stored version is not the one that was read, or the task is gone.
        """

    @abstractmethod
    async def delete(self, task_id: TaskId) -> None:
        """Remove the task and its checkpoints; one that does not exist is no error."""

    @abstractmethod
    async def page(self, owner: OwnerId, *, before: TaskId | None, limit: int) -> Sequence[Task]:
        """Return the owner's tasks, newest first (ids are time-ordered), those older than `before`."""

    @abstractmethod
    async def due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return queued tasks whose `run_after` has come, the longest due first, then by id."""

    @abstractmethod
    async def leased(self, *, expired_by: datetime | None = None) -> Sequence[TaskId]:
        """Return tasks under a lease; with `expired_by`, only those whose lease had run out by then."""

    @abstractmethod
    async def position(self, task: Task) -> int:
        """How many queued tasks stand before this queued one, in the order of `due`: 0 means that it is next."""

    @abstractmethod
    async def now(self) -> datetime:
        """The database's clock, aware, in UTC: the only clock that leases are judged by."""


class CheckpointRepository(Protocol):
    """Stores the finished parts of a running task, by name, so that a restart need not repeat them."""

    @abstractmethod
    async def put(self, task_id: TaskId, name: str, *, token: int, payload: bytes) -> None:
        """Store a part, replacing one of that name.

        Raises:
            LeaseLost: the task's current lease is not the one that `token` names.
        """

    @abstractmethod
    async def all(self, task_id: TaskId) -> dict[str, bytes]:
        """Return every part of the task by name; empty when there is none."""

    @abstractmethod
    async def clear(self, task_id: TaskId) -> None:
        """Remove every part of the task."""


class ApiKeyRepository(Protocol):
    """Stores API keys; only their digests."""

    @abstractmethod
    async def add(self, key: ApiKey) -> None:
        """Store a new key, or replace the one of the same id."""

    @abstractmethod
    async def by_digest(self, digest: str) -> ApiKey | None:
        """Return the key stored under `digest`, revoked or not, or None."""

    @abstractmethod
    async def get(self, key_id: UUID) -> ApiKey | None:
        """Return the key, revoked or not, or None."""

    @abstractmethod
    async def all(self) -> Sequence[ApiKey]:
        """Return every key, oldest first."""


class UnitOfWork(Protocol):
    """One transaction: `async with new_uow() as uow: …; await uow.commit()`. Leaving without `commit` rolls back.

    Keep it short and never open one inside another: some databases take one writer at a time, and it would wait for
    itself.
    """

    tasks: TaskRepository
    checkpoints: CheckpointRepository
    api_keys: ApiKeyRepository

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Begin."""

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Roll back whatever was not committed."""

    @abstractmethod
    async def commit(self) -> None:
        """Make the changes durable: when this returns, they survive a power cut.

        Raises:
            StorageFull: there is no room; nothing was changed.
        """


NewUnitOfWork = Callable[[], UnitOfWork]
