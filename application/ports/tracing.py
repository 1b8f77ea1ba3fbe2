"""The port to traces: who asked for what, and where the time went, across processes."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Literal, Protocol

Attribute = str | int | float | bool
Side = Literal["server", "client", "inside"]


class Span(Protocol):
    """A piece of work that has a beginning and an end."""

    @property
    @abstractmethod
    def traceparent(self) -> str:
        """Its name for other processes, as W3C Trace Context writes it; empty where nothing is traced."""

    @abstractmethod
    def note(self, **attributes: Attribute) -> None:
        """Add what is known by now. An underscore stands for a dot; nothing that people said or wrote belongs here."""

    @abstractmethod
    def rename(self, name: str) -> None:
        """Call it what it has turned out to be."""


class Tracer(Protocol):
    """Follows work from span to span; thread-safe. Whatever becomes of what it tells, the work never notices."""

    @abstractmethod
    def span(
        self, name: str, *, side: Side = "inside", parent: str = "", **attributes: Attribute
    ) -> AbstractContextManager[Span]:
        """Do the work inside this span, a part of the one around it, or of `parent`, a traceparent from elsewhere.

        An error that leaves the block is noted, and goes on. A `parent` that cannot be read is none.
        """

    @abstractmethod
    def close(self) -> None:
        """Send what was not sent yet, or give up on it soon; afterwards nothing is told any more."""
