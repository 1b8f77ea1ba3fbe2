"""What an owner may use, what of it is used, and whether there is room for one more task."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

DAY = timedelta(days=1)
MONTH = timedelta(days=30)
_MINUTE_MS = 60_000
_WAIT_SECONDS = 30
"""After how long to ask again while one's tasks are under way: nobody knows when one will end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What one owner may use; None is as much as is asked for. The days and months are rolling: the last 30 days.

    requests: tasks that are handed in, in a day.
    audio_minutes: audio that is decoded for tasks, in 30 days.
    bytes: recordings that are handed in, in 30 days.
    tasks: tasks that wait or run, at once.
    """

    requests: int | None = None
    audio_minutes: int | None = None
    bytes: int | None = None
    tasks: int | None = None


UNLIMITED = Quota()


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What of it is used. `since_day` and `since_month` are when the oldest of it was, that of a day and of a month."""

    requests: int = 0
    audio_ms: int = 0
    bytes: int = 0
    tasks: int = 0
    since_day: datetime | None = None
    since_month: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """What there is no room for, in a sentence, and the seconds, at least 1, after which some room comes free."""

    detail: str
    retry_after: int


def shortage(quota: Quota, used: Used, *, size: int, now: datetime) -> Shortage | None:
    """Judge whether a task with a new recording of `size` bytes fits beside what is used."""
    if quota.requests is not None and used.requests >= quota.requests:
        return Shortage(f"{quota.requests} tasks may be handed in a day", _until(used.since_day, DAY, now))
    if quota.audio_minutes is not None and used.audio_ms >= quota.audio_minutes * _MINUTE_MS:
        detail = f"{quota.audio_minutes} minutes of audio may be transcribed in 30 days"
        return Shortage(detail, _until(used.since_month, MONTH, now))
    if quota.bytes is not None and used.bytes + size > quota.bytes:
        detail = (
            f"{quota.bytes} bytes may be handed in in 30 days, of which {max(quota.bytes - used.bytes, 0)} are left"
        )
        return Shortage(detail, _until(used.since_month, MONTH, now))
    if quota.tasks is not None and used.tasks >= quota.tasks:
        return Shortage(f"{quota.tasks} of your tasks may wait or run at once", _WAIT_SECONDS)
    return None


def _until(oldest: datetime | None, window: timedelta, now: datetime) -> int:
    return max(ceil(((oldest or now) + window - now).total_seconds()), 1)
