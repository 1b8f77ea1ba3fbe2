"""A request that may be sent again under its caller's key, and what it was answered with."""

from dataclasses import dataclass
from datetime import timedelta

from domain.task import OwnerId, TaskId

KEPT = timedelta(hours=24)
"""For how long a key is remembered: longer than any client goes on trying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """A caller's own name for a request; `scope` says what was asked for, so that a key means one thing only."""

    owner: OwnerId
    scope: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a request under a key was: its content's `fingerprint`, and the task that it made."""

    fingerprint: str
    task_id: TaskId
