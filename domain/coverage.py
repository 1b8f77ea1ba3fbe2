"""How much of each word every speaker's turns cover, in one sweep over words and turns; nothing is decided here."""

from collections.abc import Iterable, Mapping

from domain.span import Span
from domain.speaker import SpeakerTurn

Shares = Mapping[str, float]
"""The share, above 0 and up to 1, of something that each speaker's turns cover; labels in alphabetical order."""
_NOBODY: Shares = {}
_FOREVER = 1 << 62

_State = tuple[str, ...]
"""Who talks, sorted; once for each turn that they are in."""


class Timeline:
    """The recording cut at every edge of a turn: between two edges always the same people talk."""

    def __init__(self, turns: Iterable[SpeakerTurn], *, widened: int = 0) -> None:
        """`widened` is by how many ms each turn is taken to begin sooner and to end later. O(n log n)."""
        held = [(turn.span.start - widened, turn.span.end + widened, turn.speaker) for turn in turns]
        edges = [(start, False, speaker) for start, _, speaker in held]
        edges += [(end, True, speaker) for _, end, speaker in held]
        edges.sort()
        self._until: list[int] = []
        self._talking: list[Shares] = []
        steps: dict[tuple[_State, bool, str], tuple[_State, Shares]] = {}
        state, talking, at = _State(), _NOBODY, None
        for instant, ends, speaker in edges:
            if instant != at:
                self._until.append(instant)
                self._talking.append(talking)
                at = instant
            step = state, ends, speaker
            if step not in steps:  # the same few steps are made over and over
                steps[step] = _after(*step)
            state, talking = steps[step]
        self._until.append(_FOREVER)
        self._talking += [_NOBODY] * 2

    def shares(self, spans: Iterable[Span]) -> list[Shares]:
        """Return for each span who talks for how much of it; a span of no length has whoever talks at its instant.

        The spans are sorted by start.
        """
        until, talking = self._until, self._talking
        found: list[Shares] = []
        at, edge, now = 0, until[0], talking[0]
        for span in spans:
            start, end = span.start, span.end
            if edge <= start:
                while until[at] <= start:
                    at += 1
                edge, now = until[at], talking[at]
            if end <= edge:
                found.append(now)
            elif now and end <= until[at + 1] and not talking[at + 1]:
                found.append(dict.fromkeys(now, (edge - start) / (end - start)))
            else:
                found.append(self._partly(at, start, end))
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


def _after(state: _State, ends: bool, speaker: str) -> tuple[_State, Shares]:  # noqa: FBT001 - a key's parts
    talking = [*state]
    if ends:
        talking.remove(speaker)
    else:
        talking.append(speaker)
    talking.sort()
    return tuple(talking), dict.fromkeys(talking, 1.0)


def foremost(shares: Shares) -> str | None:
    """Return who has the largest share, the first in alphabetical order of equals; None where nobody has any."""
    if len(shares) > 1:
        return max(shares, key=shares.__getitem__)
    return next(iter(shares), None)
