"""Rate limits inside one process: what is counted here, other processes do not know of."""

import math
from collections import OrderedDict, deque

from application.ports.limits import RateLimiter, Rule, Verdict
from application.ports.system import Clock

_MOST_SUBJECTS = 50_000
"""Windows kept at once; beyond that the one that was asked for longest ago is forgotten."""
_FORGET_AT_ONCE = 2
"""Ended windows dropped with each hit: more than one can be new, so they never pile up."""

_Key = tuple[str, int, str]


class MemoryRateLimiter(RateLimiter):
    """Keeps the moment of everything that was counted. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: OrderedDict[_Key, deque[float]] = OrderedDict()

    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        """Count it, unless that would be too many."""
        now = self._clock.monotonic()
        self._forget(now)
        key = (rule.name, rule.seconds, subject)
        counted = self._windows.setdefault(key, deque())
        self._windows.move_to_end(key)
        while counted and counted[0] <= now - rule.seconds:
            counted.popleft()
        over = len(counted) + cost - rule.most
        allowed = over <= 0
        if allowed:
            counted.extend([now] * cost)
        # What must leave the window before the same would be allowed; what is more than the rule allows never is.
        leaving = None if allowed or over > len(counted) else counted[over - 1]
        return Verdict(
            allowed=allowed,
            remaining=max(rule.most - len(counted), 0),
            reset_seconds=_left(counted[0] if counted else now, rule, now),
            retry_after=0 if allowed else _left(now if leaving is None else leaving, rule, now),
        )

    async def close(self) -> None:
        """Forget everything."""
        self._windows.clear()

    def _forget(self, now: float) -> None:
        for _ in range(_FORGET_AT_ONCE):
            if not self._windows:
                return
            key, counted = next(iter(self._windows.items()))
            ended = not counted or counted[-1] <= now - key[1]
            if not ended and len(self._windows) < _MOST_SUBJECTS:
                return
            del self._windows[key]


def _left(since: float, rule: Rule, now: float) -> int:
    return max(math.ceil(since + rule.seconds - now), 1)
