"""The machine's own clock and identifiers. Nothing else in the product asks the process for the time or for an id."""

import secrets
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

from application.ports.system import Clock, IdFactory

_RANDOM_BITS = 74
_LOW_BITS = 62


class SystemClock(Clock):
    """The clock of this machine."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the port that everybody else asks

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()


class Uuid7Factory(IdFactory):
    """Version 7 UUIDs by RFC 9562, each greater than the last within this process, from any thread.

    Section 6.2, method 2: time and random part are one number. Within a millisecond, or when the clock was set back,
    the last one grows by a random step; an overflow of the random part carries into the time.
    """

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def new(self) -> UUID:
        """Return a new id."""
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        with self._lock:
            later = self._last >> _RANDOM_BITS < fresh >> _RANDOM_BITS
            self._last = value = fresh if later else self._last + 1 + secrets.randbits(32)
        milliseconds, high, low = (
            value >> _RANDOM_BITS,
            value >> _LOW_BITS & 0xFFF,
            value & (1 << _LOW_BITS) - 1,
        )
        return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << _LOW_BITS | low)
