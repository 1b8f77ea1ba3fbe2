"""The ports to what must be remembered: tasks, their checkpoints, and keys, changed in units of work."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from application.ports.audit import AuditRepository
from application.ports.batches import BatchRepository
from application.ports.census import CensusRepository
from application.ports.clips import ClipRepository
from application.ports.deletions import ChoreRepository, DeletionRepository, KeepingRepository
from application.ports.idempotency import IdempotencyRepository
from application.ports.paces import PaceRepository
from application.ports.resumables import ResumableRepository
from application.ports.revisions import EditRepository, RevisionRepository
from application.ports.search import TranscriptTexts
from application.ports.task_filter import EVERYTHING, TaskFilter
from application.ports.uploads import UploadRepository
from application.ports.usage import UsageRepository
from application.ports.users import SessionRepository, UserRepository
from application.ports.vault import VaultKeyRepository
from application.ports.webhooks import DeliveryRepository, WebhookRepository
from domain.access import ApiKey, KeyId
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
    async def many(self, task_ids: Collection[TaskId]) -> Mapping[TaskId, Task]:
        """Return those of the tasks that there are, up to some thousands, by id."""

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
    async def page(
        self, owner: OwnerId, *, before: TaskId | None, limit: int, only: TaskFilter = EVERYTHING
    ) -> Sequence[Task]:
        """Return the owner's tasks that pass, newest first (ids are time-ordered), those older than `before`.

        With `oldest_first` it is the other way round: those that come after `before` there, too.
        """

    @abstractmethod
    async def same(self, owner: OwnerId, content: str) -> Task | None:
        """Return the owner's newest task of that content, by `domain.content`, that is done or under way, or None.

        One that revises another is none of its own, and one that is to be cancelled is not under way.
        """

    @abstractmethod
    async def due(self, *, now: datetime, limit: int, claiming: bool = False) -> Sequence[TaskId]:
        """Return queued tasks whose `run_after` has come, in the order in which workers should take them.

        The order is that of `domain.turns`: priority, then owners in turn, then age. Ask for as few as you need.
        `claiming` is for a unit that goes on to claim the first: what another is claiming at this moment is left out.
        """

    @abstractmethod
    async def take_turn(self, task: Task) -> None:
        """Note that `task` was claimed at its `updated_at`: its line has had its turn. For the claim's own unit."""

    @abstractmethod
    async def queue_length(self, owner: OwnerId, *, hold: bool = False) -> tuple[int, int]:
        """Count the queued tasks of everybody, and of the owner.

        With `hold`, whoever else asks so waits until this unit ends: what was counted can only have become less.
        """

    @abstractmethod
    async def leased(self, *, expired_by: datetime | None = None) -> Sequence[TaskId]:
        """Return tasks under a lease; with `expired_by`, only those whose lease had run out by then."""

    @abstractmethod
    async def position(self, task: Task) -> int:
        """How many due tasks will be taken before this queued one, if none joins or ends: 0 means that it is next.

        It follows the order of `due`, but for ageing. A task that waits for its `run_after` counts those due by then.
        """

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
        """Store a new key, or replace the one of the same id; one that is revoked stays so, whatever `key` says."""

    @abstractmethod
    async def used(self, key_id: KeyId, *, at: datetime) -> None:
        """Note that the key was used, and change nothing else of it: somebody else may be revoking it meanwhile."""

    @abstractmethod
    async def by_digest(self, digest: str) -> ApiKey | None:
        """Return the key stored under `digest`, revoked or not, or None."""

    @abstractmethod
    async def by_digests(self, digests: Collection[str]) -> Mapping[str, ApiKey]:
        """Return the keys stored under those digests, up to some thousands, by digest."""

    @abstractmethod
    async def get(self, key_id: UUID, *, hold: bool = False) -> ApiKey | None:
        """Return the key, revoked or not, or None; with `hold`, whoever else would change it waits for this unit."""

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
    revisions: RevisionRepository
    edits: EditRepository
    texts: TranscriptTexts
    uploads: UploadRepository
    webhooks: WebhookRepository
    deliveries: DeliveryRepository
    clips: ClipRepository
    resumables: ResumableRepository
    users: UserRepository
    sessions: SessionRepository
    idempotency: IdempotencyRepository
    batches: BatchRepository
    deletions: DeletionRepository
    keeping: KeepingRepository
    chores: ChoreRepository
    usage: UsageRepository
    paces: PaceRepository
    vault_keys: VaultKeyRepository
    audit: AuditRepository
    census: CensusRepository

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
