"""What a task's history tells of its attempts, the newest last; it decides nothing about the task."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

KEPT = 20
"""Attempts that a history holds: enough to see a pattern, and a task that waits out a week of outages stays small."""


class Outcome(StrEnum):
    """How an attempt ended, if it has: `released` gave the task back unharmed, `crashed` fell silent."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    RELEASED = "released"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt. `code` says why it failed or crashed, `stage` which part of the work did, where that is known."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome = Outcome.RUNNING
    code: str = ""
    stage: str = ""


Attempts = tuple[Attempt, ...]


def begun(attempts: Attempts, *, number: int, worker: str, now: datetime) -> Attempts:
    """Add an attempt; the oldest gives way, and one that nobody closed has crashed."""
    earlier = ended(attempts, Outcome.CRASHED, now)
    return (*earlier, Attempt(number=number, worker=worker, started_at=now))[-KEPT:]


def ended(attempts: Attempts, outcome: Outcome, now: datetime, *, code: str = "", stage: str = "") -> Attempts:
    """Close the attempt that runs, if one does."""
    if not attempts or attempts[-1].outcome is not Outcome.RUNNING:
        return attempts
    last = replace(attempts[-1], ended_at=now, outcome=outcome, code=code, stage=stage)
    return (*attempts[:-1], last)


def failures_in_a_row(attempts: Attempts, code: str) -> int:
    """Count the latest attempts that failed for the same reason, one after the other."""
    count = 0
    for attempt in _newest_first(attempts):
        if attempt.code != code:
            break
        count += 1
    return count


def last_failed_stage(attempts: Attempts) -> str:
    """Name the stage that failed last; empty when none did, or nobody knows which."""
    return next((past.stage for past in _newest_first(attempts) if past.outcome is Outcome.FAILED), "")


def _newest_first(attempts: Attempts) -> Iterator[Attempt]:
    return (attempt for attempt in reversed(attempts) if attempt.outcome is not Outcome.RUNNING)
