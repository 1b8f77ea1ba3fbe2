"""Where each speaker's turns begin and end, and how likely that makes an instant theirs; nothing is decided here."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import erf, sqrt

from domain.span import Span, merged
from domain.speaker import SpeakerTurn

_OFF = 150.0 * sqrt(2.0)
"""Standard deviation in ms of the distance between a word's middle and the edge of a turn, as `erf` wants it."""
_AWAY = 320.0
"""The same of the distance between a change of speaker and the edge that explains it: a word may have gone missing."""
_MOST = 5.0
"""The most that the distance from an edge costs."""


class Edges:
    """The edges by speaker; turns of one speaker that touch or overlap are one."""

    def __init__(self, turns: Iterable[SpeakerTurn]) -> None:
        """Sort the turns: O(n log n)."""
        spans: dict[str, list[Span]] = {}
        for turn in turns:
            spans.setdefault(turn.speaker, []).append(turn.span)
        whole = {speaker: merged(parts) for speaker, parts in spans.items()}
        self._starts = {speaker: [span.start for span in parts] for speaker, parts in whole.items()}
        self._ends = {speaker: [span.end for span in parts] for speaker, parts in whole.items()}

    def presence(self, speaker: str, instant: float) -> float:
        """How likely the speaker talks then: 1 deep in a turn, a half at its edge, less and less outside."""
        starts, ends = self._starts[speaker], self._ends[speaker]
        after = bisect_right(starts, instant)
        likely = 0.0
        for at in range(max(0, after - 1), min(after + 1, len(starts))):
            start, end = starts[at], ends[at]
            begun, going_on = erf((instant - start) / _OFF), erf((end - instant) / _OFF)
            likely += (1.0 + begun) * (1.0 + going_on) / (2.0 + 2.0 * erf((end - start) / _OFF))
        return min(1.0, likely)

    def from_start(self, speaker: str, instant: int) -> float:
        """What it costs to believe that the speaker begins a turn then; a natural logarithm."""
        return _away(self._starts.get(speaker, ()), instant)

    def from_end(self, speaker: str, instant: int) -> float:
        """What it costs to believe that the speaker ends a turn then; a natural logarithm."""
        return _away(self._ends.get(speaker, ()), instant)


def _away(edges: Sequence[int], instant: int) -> float:
    at = bisect_right(edges, instant)
    distances = [abs(instant - edge) for edge in edges[max(0, at - 1) : at + 1]]
    return min(_MOST, (min(distances) / _AWAY) ** 2 / 2) if distances else _MOST
