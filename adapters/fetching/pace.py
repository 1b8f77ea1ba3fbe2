"""Counting what arrives against what may arrive, and how fast it must."""

import time
from collections.abc import Callable

from domain.errors import FetchFailed, MediaRejected
from domain.fetching import FetchLimits


class Pace:
    """Counts the bytes of one recording."""

    def __init__(self, limits: FetchLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._since = clock()
        self._before = 0
        self.taken = 0

    def take(self, taken: int) -> None:
        """Note that `taken` bytes have arrived so far.

        Raises:
            MediaRejected: these are more than there may be.
            FetchFailed: they come too slowly.
        """
        self.taken = taken
        if taken > self._limits.max_bytes:
            raise too_large(self._limits)
        now = self._clock()
        if now - self._since >= self._limits.patience:
            if taken - self._before < self._limits.min_rate * (now - self._since):
                raise FetchFailed(f"the server sends less than {self._limits.min_rate} bytes a second")
            self._since, self._before = now, taken


def too_large(limits: FetchLimits) -> MediaRejected:
    """Say that a recording exceeds the limit."""
    return MediaRejected(f"a recording may have at most {limits.max_bytes} bytes", code="too_large")


def took_too_long(limits: FetchLimits) -> FetchFailed:
    """Say that there was not enough time."""
    return FetchFailed(f"fetching the recording took longer than {limits.max_seconds:g} seconds")
