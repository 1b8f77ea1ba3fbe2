"""The ports to what is to be removed: deletions under way, what has been kept long enough, and whose turn it is."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.deletion import Deletion
from domain.task import OwnerId, TaskId


class DeletionRepository(Protocol):
    """Stores tombstones of deleted tasks and clips. They outlive those and hold nothing of their content."""

    @abstractmethod
    async def add(self, deletion: Deletion) -> None:
        """Store a new one; if the task has one already, that one stays."""

    @abstractmethod
    async def get(self, task_id: TaskId) -> Deletion | None:
        """Return the deletion of that task, or None."""

    @abstractmethod
    async def save(self, deletion: Deletion) -> None:
        """Store a change."""

    @abstractmethod
    async def page(self, owner: OwnerId, *, before: TaskId | None, limit: int) -> Sequence[Deletion]:
        """Return the owner's deletions, by task id downwards, those below `before`."""

    @abstractmethod
    async def unfinished(self, *, limit: int) -> Sequence[TaskId]:
        """Return those that are not complete, the longest requested first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Which blobs a task's row says there are: its recording under `media_key` if it holds one, and its transcripts.

    One that must still be fetched is not there. `revision` is the latest of them, 0 for none; at rest, nobody is about
    to make another.
    """

    task_id: TaskId
    media_key: str | None
    revision: int
    at_rest: bool


class KeepingRepository(Protocol):
    """Answers what must still be kept and what need not.

    A clip holds its recording for as long as it is there. A task holds its own until that was purged; one that revises
    another only borrows it, until it has ended or is to be cancelled.
    """

    @abstractmethod
    async def holders(self, media_key: str) -> int:
        """Count the tasks, and the clip, that hold this recording."""

    @abstractmethod
    async def revising(self, parent: TaskId) -> Sequence[TaskId]:
        """Return the tasks that revise this one, ended ones too."""

    @abstractmethod
    async def media_due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return ended tasks that need not hold their recording any longer, and still do."""

    @abstractmethod
    async def transcripts_due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return ended tasks whose transcript's age has come, without those that another revises at the moment."""

    @abstractmethod
    async def holdings(self, *, after: TaskId | None, limit: int) -> Sequence[Holding]:
        """Return what tasks hold, by id upwards, those above `after`."""

    @abstractmethod
    async def holding(self, task_ids: Collection[TaskId]) -> Sequence[Holding]:
        """Return what these tasks hold, up to a few hundred, those that exist, in any order."""

    @abstractmethod
    async def held(self, media_keys: Collection[str]) -> set[str]:
        """Return those of the keys, up to a few hundred, whose recording some task or clip holds."""


class ChoreRepository(Protocol):
    """Knows when a chore is to be done next, so that of several processes one does it at a time."""

    @abstractmethod
    async def take(self, name: str, *, every: timedelta) -> bool:
        """Take the next turn, which sets the one after it; False when it has not come yet."""
