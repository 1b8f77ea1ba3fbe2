"""What the database tells of the whole installation at one moment; it names nobody and no task."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.attempts import Attempt, Attempts, Outcome
from domain.task import TaskStatus

LEASE_EXPIRED = "lease_expired"
DELETED = "deleted"
USUAL_CAUSES = (
    Outcome.COMPLETED.value, Outcome.CANCELLED.value, Outcome.RELEASED.value, DELETED, LEASE_EXPIRED,
)  # fmt: skip
"""Why attempts end without an error of their own."""


class Kept(StrEnum):
    """What bytes are kept for."""

    RECORDINGS = "recordings"
    CLIPS = "clips"
    UPLOADS = "uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Times are in seconds, and 0 where nothing waits. `attempts` are those that ended, by their cause.

    `waiting` is queued tasks that are due, `running` those under a lease, `undelivered` deliveries that are pending.
    `stored` is bytes, as they were last added up; empty before the first time.
    """

    tasks: Mapping[TaskStatus, int]
    waiting: int
    oldest_s: float
    running: int
    attempts: Mapping[str, int]
    undelivered: int
    overdue_s: float
    stored: Mapping[Kept, int]

    @property
    def expiries(self) -> int:
        """How many attempts ended because their worker had fallen silent."""
        return self.attempts.get(LEASE_EXPIRED, 0)


def cause_of(attempt: Attempt) -> str:
    """Say in a word why an attempt ended: its error's code, or else how.

    A worker that fell silent is told from an engine whose process died, although both tasks say `worker_crashed`.
    """
    if attempt.outcome is Outcome.CRASHED:
        return LEASE_EXPIRED
    return attempt.code or attempt.outcome.value


def closed(before: Attempts, after: Attempts) -> Attempt | None:
    """Return the attempt that ended between two states of a task's history; the last is the only one that can."""
    ran = bool(before and after) and before[-1].outcome is Outcome.RUNNING
    return after[-1] if ran and after[-1].outcome is not Outcome.RUNNING else None
