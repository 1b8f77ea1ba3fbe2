"""Ends what has been idle for its time: one thread watches all the clocks, and leaves when none is set.

It must not know what it ends.
"""

import threading
import time
from collections.abc import Callable


class IdleClocks:
    """A clock for each `end`, which is called when the clock runs out; `end` must not raise. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[Callable[[], None], float] = {}
        self._watching = False

    def wind(self, end: Callable[[], None], seconds: float) -> None:
        """Call `end` in so many seconds, unless it is wound or stopped before."""
        with self._changed:
            self._due[end] = time.monotonic() + seconds
            self._changed.notify()
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, daemon=True, name="engine-idle").start()

    def stop(self, end: Callable[[], None]) -> None:
        """Forget the clock of `end`."""
        with self._changed:
            self._due.pop(end, None)
            self._changed.notify()

    def _watch(self) -> None:
        while (end := self._next()) is not None:
            end()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while self._due:
                end, at = min(self._due.items(), key=lambda clock: clock[1])
                left = at - time.monotonic()
                if left <= 0:
                    del self._due[end]
                    return end
                self._changed.wait(left)
            self._watching = False
            return None
