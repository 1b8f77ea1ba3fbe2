"""Whose turn it is when a worker is free: higher priority first, owners of one priority in turn, then the oldest task.

A *line* is one owner's due tasks of one priority, oldest first. Among lines of one priority the one with the fewest
running tasks goes first, then the one that was served longest ago or never; so an owner with five hundred tasks keeps
another's first task waiting no longer than until a worker is free. A priority whose tasks wait while others are taken
rises by one for each `AGEING`, until one of them is taken: nothing starves, and what is urgent still goes first.
It orders what it is given, and decides nothing about a task.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.task import OwnerId, Task, TaskId

AGEING = timedelta(minutes=10)
"""Long enough that urgent tasks stay ahead of an ordinary backlog, short enough that from the lowest priority to the
highest it takes an hour and a half."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How an owner's line stands: `running` tasks of it, the last of them claimed at `served_at`, the `oldest` due."""

    priority: int
    owner: OwnerId
    running: int
    served_at: datetime | None
    oldest: datetime

    @property
    def standing(self) -> tuple[int, datetime, datetime]:
        """The smaller, the sooner is it the line's turn."""
        return self.running, self.served_at or _NEVER, self.oldest


def waiting_since(lines: Iterable[Line], served: Mapping[int, datetime]) -> dict[int, datetime]:
    """Since when each priority waits: since its oldest task was due, or, if later, since one of it was `served`."""
    since: dict[int, datetime] = {}
    for line in lines:
        since[line.priority] = min(line.oldest, since.get(line.priority, line.oldest))
    return {priority: max(oldest, served.get(priority, _NEVER)) for priority, oldest in since.items()}


def claim_order(
    lines: Iterable[tuple[Line, Sequence[tuple[datetime, TaskId]]]],
    *,
    since: Mapping[int, datetime],
    now: datetime,
    limit: int,
) -> list[TaskId]:
    """Order tasks as they would be taken if each were claimed now, one after another.

    Each line comes with its tasks, which have an instant from which they are due, oldest first; `since` is of
    `waiting_since`.
    """
    heaps: dict[int, list[tuple[int, datetime, int, datetime, TaskId, Sequence[tuple[datetime, TaskId]]]]] = {}
    for line, tasks in lines:
        due, first = tasks[0]
        running, served_at, _ = line.standing
        heaps.setdefault(line.priority, []).append((running, served_at, 0, due, first, tasks))
    for heap in heaps.values():
        heapq.heapify(heap)
    waiting = {priority: since[priority] for priority in heaps}
    order: list[TaskId] = []
    while heaps and len(order) < limit:
        priority = min(heaps, key=lambda each: (-_level(each, waiting[each], now), waiting[each], -each))
        heap = heaps[priority]
        running, _, _, _, task_id, tasks = heapq.heappop(heap)
        order.append(task_id)
        waiting[priority] = now
        if len(tasks) > 1:
            heapq.heappush(heap, (running + 1, now, len(order), *tasks[1], tasks[1:]))
        if not heap:
            del heaps[priority]
    return order


def _level(priority: int, since: datetime, now: datetime) -> int:
    return priority + max(0, (now - since) // AGEING)


def tasks_before(task: Task, before_in_line: int, lines: Sequence[tuple[Line, int]]) -> int:
    """How many tasks will be taken before one that has `before_in_line` before it in its line, if none joins or ends.

    `lines` are all lines, with their lengths, or at least those of its priority and above; ageing is left out.
    """
    own = next((line for line, _ in lines if (line.priority, line.owner) == (task.priority, task.owner)), None)
    count = before_in_line
    for line, length in lines:
        if line.priority > task.priority:
            count += length
        elif own is not None and line is not own and line.priority == task.priority:
            ahead = own.running + before_in_line - line.running + (line.standing[1:] < own.standing[1:])
            count += min(length, max(0, ahead))
    return count
