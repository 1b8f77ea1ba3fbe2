"""Which tasks of a history are asked for, and from which end; the repositories that answer are elsewhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.task import BatchId, TaskStatus

SKEW = timedelta(days=1)
"""An id tells when it was made, by its maker's clock: no machine that serves is wrong by more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """What a task must be, all of it at once; empty and None ask nothing. A page goes by ids, and so by time.

    `statuses` are alternatives. `created_after` and `created_before` are instants that do not count themselves.
    `language` is the one that was recognised, or, until that is known, the one that was asked for. `tags` must all be
    there.
    """

    statuses: frozenset[TaskStatus] = frozenset()
    created_after: datetime | None = None
    created_before: datetime | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    batch: BatchId | None = None
    oldest_first: bool = False


EVERYTHING = TaskFilter()
