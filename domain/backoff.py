"""How long a task waits for its next attempt, by what ended the last one; whether it gets one is the task's business.

Each reason in a row doubles the wait, up to a bound. Up to a quarter is added, a different one for each task, so that
the many that one outage sent back do not come back at the same moment.
"""

import zlib
from dataclasses import dataclass
from datetime import timedelta

from domain.attempts import failures_in_a_row
from domain.task import Task

_JITTER = 0.25


@dataclass(frozen=True, slots=True)
class _Pace:
    first: float
    most: float


_PACES = {
    # Somebody has to make room, which takes minutes; and to ask costs decoding the recording once more.
    "storage_full": _Pace(60, 900),
    # The device was taken out of service for such a while.
    "device_unavailable": _Pace(60, 900),
    # Somebody else's server: whoever asks it at once again is the less welcome.
    "fetch_unavailable": _Pace(10, 300),
    # Servers restart within seconds; an outage that lasts is not helped by asking.
    "storage_unavailable": _Pace(5, 300),
    "database_unavailable": _Pace(5, 300),
}
_FAILURE = _Pace(5, 60)
"""An engine starts afresh in seconds, and few attempts are left anyway."""
_CRASH = _Pace(5, 60)
"""From the second on: the first was most likely somebody else's fault, and its task goes on at once."""


def after_failure(task: Task, code: str) -> timedelta:
    """How long to wait when the running attempt failed with `code`."""
    return _pause(task, _PACES.get(code, _FAILURE), failures_in_a_row(task.attempts, code))


def after_crash(task: Task) -> timedelta:
    """How long to wait when the worker fell silent, counting the earlier ones."""
    return _pause(task, _CRASH, task.crashes - 1) if task.crashes else timedelta()


def _pause(task: Task, pace: _Pace, earlier: int) -> timedelta:
    seconds = min(pace.most, pace.first * 2 ** min(earlier, 30))
    dice = zlib.crc32(task.id.bytes + task.token.to_bytes(8)) / 2**32
    return timedelta(seconds=seconds * (1 + _JITTER * dice))
