"""The ports to the process's surroundings: time, ids, and the progress that compute ports report."""

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

ProgressSink = Callable[[float], None]
"""Takes the done fraction, 0 to 1. It may raise to stop the work, and the worker must let that pass.

Adapters that wait for another process call it at least every second, repeating the last fraction if need be: it is
how cancellation and shutdown reach a blocking call.
"""


class Clock(Protocol):
    """Tells the time."""

    @abstractmethod
    def now(self) -> datetime:
        """The wall clock, aware, in UTC; for showing, never for leases."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never jump; for measuring."""


class IdFactory(Protocol):
    """Makes identifiers."""

    @abstractmethod
    def new(self) -> UUID:
        """Return a new time-ordered id (UUID version 7): a later call gives a greater one."""
