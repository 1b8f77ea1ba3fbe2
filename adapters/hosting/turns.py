"""A lock that is fair and whose waiters are heard from: who came first goes first.

It must not know what the turns are for.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Lets one thread at a time have its turn, in the order they came.

    `threading.Lock` would do neither: whoever releases it and asks again at once, as a long task does between its
    windows, may get it back before those who wait.
    """

    def __init__(self, *, beat: float) -> None:
        self._beat = beat
        self._changed = threading.Condition()
        self._line: deque[object] = deque()

    @contextmanager
    def turn(self, *, while_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Wait for the turn and hold it; `while_waiting` is called each `beat` seconds and may raise to give up."""
        place = object()
        with self._changed:
            self._line.append(place)
        try:
            while not self._first(place):
                while_waiting()
            yield
        finally:
            with self._changed:
                self._line.remove(place)
                self._changed.notify_all()

    @contextmanager
    def if_free(self) -> Iterator[bool]:
        """Hold the turn if nobody has it, without waiting; say whether it was to be had."""
        place = object()
        with self._changed:
            free = not self._line
            if free:
                self._line.append(place)
        try:
            yield free
        finally:
            if free:
                with self._changed:
                    self._line.remove(place)
                    self._changed.notify_all()

    @property
    def taken(self) -> bool:
        """Whether somebody has the turn or waits for it."""
        return bool(self._line)

    def _first(self, place: object) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._line[0] is place, self._beat)
