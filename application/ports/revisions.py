"""The ports to what is known of a transcript beside its bytes: its revisions, and what people changed by hand."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.edits import Edit
from domain.options import TranscriptionOptions
from domain.stage import Stage
from domain.task import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One immutable revision of a task's transcript; `made_by` is the task itself, or the one that revised it."""

    task_id: TaskId
    number: int
    made_by: TaskId
    created_at: datetime
    options: TranscriptionOptions
    stages: tuple[Stage, ...]


class RevisionRepository(Protocol):
    """Stores which revisions there are; they go with their task. Tasks that the release before completed have none."""

    @abstractmethod
    async def add(self, revision: Revision) -> None:
        """Store a revision; its task must exist, and its number must be new there."""

    @abstractmethod
    async def all(self, task_id: TaskId) -> Sequence[Revision]:
        """Return the task's revisions by number; empty when there is none."""

    @abstractmethod
    async def highest(self, task_id: TaskId) -> int:
        """Return the highest number that was given to a revision of the task, made or still in work; 0 for none."""


class EditRepository(Protocol):
    """Stores what people changed in a task's transcript: appended, marked as undone, never rewritten.

    They go with their task. Whoever writes saves the task in the same unit of work before it reads, which lets one
    writer in at a time.
    """

    @abstractmethod
    async def add(self, task_id: TaskId, edit: Edit) -> None:
        """Store an edit; its task must exist, and its number must be new there."""

    @abstractmethod
    async def all(self, task_id: TaskId) -> Sequence[Edit]:
        """Return the task's edits by number, undone ones too; empty when there is none."""

    @abstractmethod
    async def undo(self, task_id: TaskId, seq: int, at: datetime) -> None:
        """Mark an edit as undone; one that is already, or does not exist, stays as it is."""
