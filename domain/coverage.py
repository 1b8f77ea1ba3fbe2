"""How much of each word every speaker's turns cover, in one sweep over words and turns; nothing is decided here."""

from collections.abc import Iterable, Mapping

from domain.span import Span
from domain.speaker import SpeakerTurn

Shares = Mapping[str, float]
"""The share, above 0 and up to 1, of something that each speaker's turns cover; labels in alphabetical order."""
_NOBODY: Shares = {}
_FOREVER = 1 << 62


class Timeline:
    """The recording cut at every edge of a turn: between two edges always the same people talk."""

    def __init__(self, turns: Iterable[SpeakerTurn], *, widened: int = 0) -> None:
        """`widened` is by how many ms each turn is taken to begin sooner and to end later. O(n log n)."""
        edges = [(turn.span.start - widened, True, turn.speaker) for turn in turns]
        edges += [(turn.span.end + widened, False, turn.speaker) for turn in turns]
        edges.sort()
        self._until: list[int] = []
        self._talking: list[Shares] = []
        sets: dict[tuple[str, ...], Shares] = {(): _NOBODY}
        held: dict[str, int] = {}
        talking, at = _NOBODY, None
        for instant, begins, speaker in edges:
            if instant != at:
                if at is not None:
                    key = tuple(sorted(held)) if len(held) > 1 else tuple(held)
                    talking = sets.get(key) or sets.setdefault(key, dict.fromkeys(key, 1.0))
                self._until.append(instant)
                self._talking.append(talking)
                at = instant
            number = held.get(speaker, 0) + (1 if begins else -1)
            if number:
                held[speaker] = number
            else:
                del held[speaker]
        self._until.append(_FOREVER)
        self._talking.append(_NOBODY)

    def shares(self, spans: Iterable[Span]) -> list[Shares]:
        """Return for each span who talks for how much of it; a span of no length has whoever talks at its instant.

        The spans are sorted by start.
        """
        until, talking = self._until, self._talking
        found: list[Shares] = []
        at, edge = 0, until[0]
        for span in spans:
            start, end = span.start, span.end
            while edge <= start:
                at += 1
                edge = until[at]
            found.append(talking[at] if end <= edge else self._partly(at, start, end))
        return found

    def _partly(self, at: int, start: int, end: int) -> Shares:
        """Add up the shares of a span that begins in the interval `at` and ends in a later one."""
        whole, parts = end - start, dict[str, int]()
        while start < end:
            until = min(end, self._until[at])
            for speaker in self._talking[at]:
                parts[speaker] = parts.get(speaker, 0) + until - start
            start, at = until, at + 1
        return {speaker: parts[speaker] / whole for speaker in sorted(parts)}


def foremost(shares: Shares) -> str | None:
    """Return who has the largest share, the first in alphabetical order of equals; None where nobody has any."""
    if len(shares) > 1:
        return max(shares, key=shares.__getitem__)
    return next(iter(shares), None)
