"""What remains of a deleted task or clip: a tombstone that tells what was removed and when, and never what it said.

It comes with the transaction that removes the row, so that whatever a crash leaves undone is finished later.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.clip import Clip
from domain.task import LEASE, OwnerId, Task, TaskId

SETTLING = LEASE + timedelta(seconds=5)
"""A worker that runs a task sees within a second that it was deleted, and within its lease if it cannot look."""


class DeletionReason(StrEnum):
    """Who wanted it gone."""

    CALLER = "caller"
    RETENTION = "retention"


class DeletedKind(StrEnum):
    """What it was."""

    TASK = "task"
    CLIP = "clip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What there was to remove from the blob store; `shared` says that others still need the recording."""

    recordings: int = 0
    transcripts: int = 0
    bytes: int = 0
    shared: bool = False


@dataclass(slots=True, kw_only=True)
class Deletion:
    """A deletion on its way: requested, measured, and complete once nobody can write anything of the task any more.

    `task_id` is a clip's id where `kind` says so. `media_key` names the recording, `settled_at` the instant from which
    no worker can still be at work on the task.
    """

    task_id: TaskId
    owner: OwnerId
    reason: DeletionReason
    media_key: str
    requested_at: datetime
    settled_at: datetime
    removed: Removed | None = None
    completed_at: datetime | None = None
    kind: DeletedKind = DeletedKind.TASK

    @staticmethod
    def of(task: Task, *, reason: DeletionReason, now: datetime, in_work: bool) -> "Deletion":
        """Begin deleting `task`; `in_work` says whether a worker may be making something of it now."""
        return Deletion(
            task_id=task.id,
            owner=task.owner,
            reason=reason,
            media_key=task.media.key,
            requested_at=now,
            settled_at=now + SETTLING if in_work else now,
        )

    @staticmethod
    def of_clip(clip: Clip, *, reason: DeletionReason, now: datetime) -> "Deletion":
        """Begin deleting `clip`; nobody works on a clip, so it is settled at once."""
        return Deletion(
            task_id=TaskId(clip.id),
            owner=clip.owner,
            reason=reason,
            media_key=clip.key,
            requested_at=now,
            settled_at=now,
            kind=DeletedKind.CLIP,
        )

    def measured(self, removed: Removed) -> None:
        """Note what there is to remove; the first look counts, for a crash may have removed some of it by the next."""
        self.removed = self.removed or removed

    def swept(self, *, now: datetime) -> None:
        """Note that everything that was found is gone: the end, unless a worker may still be writing."""
        if now >= self.settled_at and self.completed_at is None:
            self.completed_at = now
