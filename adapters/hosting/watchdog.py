"""Tells a child that works from one that hangs, by its progress and by what it uses of the machine.

It must not end anything: it only judges.
"""

import time
from collections import deque
from statistics import median

_PAUSE_SECONDS = 1.0
"""The most that one look at the clock may add to a silence, so that a suspended machine wakes up to living children."""
_USUAL = 10
"""Times its usual silence before a child counts as hung: engines differ in how often they report."""
_WORKING = 10
"""Times the patience for a silent child that computes: a large Whisper on two cores needs minutes for half a minute of
speech and says nothing meanwhile, and twenty minutes must end one that runs in circles."""
_SHARE = 0.1
"""Of the time between two looks: a child that uses less than this of one core waits and does not compute."""


class Watchdog:
    """Judges the silence of a child, whose callers make themselves heard by `look` a few times a second.

    A child that is silent *and* still hangs after `patience` seconds, or after ten times its usual silence where that
    is more. One that is silent and computes is given ten times as long.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._silences: deque[float] = deque(maxlen=32)
        self._silence = self._stillness = self._looked = self._work = 0.0

    def begin(self) -> None:
        """Begin to watch a call."""
        self._silence = self._stillness = self._work = 0.0
        self._looked = time.monotonic()

    def heard(self) -> None:
        """The child has made progress."""
        self._silences.append(self._silence)
        self._silence = self._stillness = 0.0

    def look(self, work: float) -> None:
        """Time has passed; `work` is what the child has done until now, in seconds of one core."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, _PAUSE_SECONDS), now
        done, self._work = work - self._work, work
        self._silence += passed
        self._stillness = 0.0 if done > _SHARE * passed else self._stillness + passed

    @property
    def verdict(self) -> str:
        """Why the child counts as hung; empty while it does not."""
        most = max(self._patience, _USUAL * median(self._silences or (0.0,)))
        if self._stillness > most:
            return f"no progress for {self._silence:.1f} s, and no work for {self._stillness:.1f} s"
        return f"no progress for {self._silence:.1f} s of work" if self._silence > _WORKING * most else ""
