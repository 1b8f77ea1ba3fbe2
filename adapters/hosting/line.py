"""The line before an engine: whose recording has the least left goes first, and waiting counts as if it had less.

It must not know what the calls are about, nor what the places are.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

RATE = 10.0
"""Seconds of audio that a second of waiting counts as: nobody is passed by those who come later than a tenth of what
is left of its recording, an hour's by six minutes. Engines on a CPU are about this fast."""
EXPRESS_SECONDS = 300.0
"""The longest recording for the place aside: as much as a window has, so that it is free again after one."""
_FACTOR = 4.0
"""How much shorter than the calls under way it must be at least: for less, a process is not worth starting."""
_PATIENCE = 0.2
"""Seconds before a call looks aside: most calls under way end sooner than a process starts."""

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Wish:
    """A call that waits: seconds of audio in it, and `left` in its recording with it; `aside` if it may go there."""

    left: float
    size: float
    aside: bool = True
    since: float = field(default_factory=time.monotonic)

    @property
    def rank(self) -> float:
        """Lower goes first. All who wait grow older alike, so that it need not change."""
        return self.since + self.left / RATE


class Line(Generic[Place]):
    """Lets as many threads at a time have a place as there are `places`; the first that is free is given.

    `aside` is one more place, for short recordings while all calls under way are long, and as long as `spare` says
    that there is room for it. Thread-safe.
    """

    def __init__(
        self,
        places: Sequence[Place],
        *,
        beat: float,
        aside: Place | None = None,
        spare: Callable[[], bool] = lambda: True,
    ) -> None:
        self._places = tuple(places)
        self._aside = aside
        self._spare = spare
        self._beat = beat
        self._changed = threading.Condition()
        self._waiting: list[Wish] = []
        self._running: list[tuple[Place, Wish]] = []

    @contextmanager
    def place(self, wish: Wish, *, while_waiting: Callable[[], None]) -> Iterator[Place]:
        """Wait for a place and hold it; `while_waiting` is called each `beat` seconds and may raise to give up."""
        with self._changed:
            self._waiting.append(wish)
        try:
            while (place := self._taken(wish)) is None:
                while_waiting()
        except BaseException:
            with self._changed:
                self._waiting.remove(wish)
                self._changed.notify_all()
            raise
        try:
            yield place
        finally:
            with self._changed:
                self._running.remove((place, wish))
                self._changed.notify_all()

    def _taken(self, wish: Wish) -> Place | None:
        with self._changed:
            self._changed.wait_for(lambda: self._offered(wish) is not None, self._beat)
            place = self._offered(wish)
            if place is not None:
                self._waiting.remove(wish)
                self._running.append((place, wish))
                self._changed.notify_all()  # there may be another place, and somebody else is first now
            return place

    def _offered(self, wish: Wish) -> Place | None:
        held = [place for place, _ in self._running]
        free = next((place for place in self._places if place not in held), None)
        if free is not None:
            return free if wish is min(self._waiting, key=_rank) else None
        if self._aside is None or self._aside in held:
            return None
        shortest = min(under_way.size for _, under_way in self._running)
        short = [other for other in self._waiting if other.aside and _is_short(other, shortest)]
        mine = bool(short) and wish is min(short, key=_rank)
        return self._aside if mine and self._spare() else None


def _rank(wish: Wish) -> float:
    return wish.rank


def _is_short(wish: Wish, beside: float) -> bool:
    waited = time.monotonic() - wish.since
    return waited >= _PATIENCE and wish.left <= EXPRESS_SECONDS and wish.left * _FACTOR <= beside
