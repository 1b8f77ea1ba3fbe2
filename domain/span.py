"""Intervals of time in integer milliseconds, with their algebra; no audio and no labels live here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.errors import InvalidSpan


def to_ms(seconds: float) -> int:
    """Round seconds to the nearest millisecond, halves up, so that 1.0005 s is 1001 ms.

    >>> to_ms(1.001)
    1001
    """
    return int(seconds * 1000 + 0.5)


def to_seconds(ms: int) -> float:
    """Give milliseconds as seconds with three decimals.

    >>> to_seconds(1001)
    1.001
    """
    return round(ms / 1000, 3)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open interval [start, end) in milliseconds; ordered by start, then by end.

    >>> Span(0, 500).overlap(Span(400, 900))
    100
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        """Refuse an interval that starts before zero or ends before it starts."""
        if self.start < 0 or self.end < self.start:
            message = f"a span must satisfy 0 <= start <= end, not {self.start}..{self.end}"
            raise InvalidSpan(message)

    @property
    def duration(self) -> int:
        """Length in milliseconds.

        >>> Span(250, 1000).duration
        750
        """
        return self.end - self.start

    def overlap(self, other: "Span") -> int:
        """Milliseconds that both spans cover; 0 when they only touch."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))

    def distance(self, other: "Span") -> int:
        """Milliseconds between the nearest edges; 0 when the spans touch or overlap.

        >>> Span(0, 100).distance(Span(350, 400))
        250
        """
        return max(0, other.start - self.end, self.start - other.end)

    def contains(self, instant: int) -> bool:
        """Whether `instant` lies in [start, end)."""
        return self.start <= instant < self.end

    def shift(self, by: int) -> "Span":
        """Return the span moved by `by` milliseconds.

        Raises:
            InvalidSpan: the moved span would start before zero.
        """
        return Span(self.start + by, self.end + by)

    def clamp(self, within: "Span") -> "Span":
        """Return the part inside `within`; an empty span at its nearest edge when there is none.

        >>> Span(0, 900).clamp(Span(100, 500))
        Span(start=100, end=500)
        """
        start = min(max(self.start, within.start), within.end)
        return Span(start, max(start, min(self.end, within.end)))

    def hull(self, other: "Span") -> "Span":
        """Return the smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


def merged(spans: Iterable[Span], gap: int = 0) -> tuple[Span, ...]:
    """Sort the spans and join those that overlap, touch, or lie at most `gap` ms apart.

    >>> merged([Span(300, 400), Span(0, 100), Span(100, 200)])
    (Span(start=0, end=200), Span(start=300, end=400))
    """
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start - joined[-1].end <= gap:
            joined[-1] = joined[-1].hull(span)
        else:
            joined.append(span)
    return tuple(joined)


def covered(spans: Iterable[Span]) -> int:
    """Milliseconds that at least one of the spans covers."""
    return sum(span.duration for span in merged(spans))


def restricted(spans: Sequence[Span], within: Span) -> tuple[Span, ...]:
    """Return the non-empty parts of `spans` that lie inside `within`, in the order given."""
    parts = (span.clamp(within) for span in spans)
    return tuple(part for part in parts if part.duration)
