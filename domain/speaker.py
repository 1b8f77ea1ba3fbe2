"""Who speaks when: turns, and what a diarizer returns."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

from domain.span import Span, merged


@dataclass(frozen=True, slots=True, order=True)
class SpeakerTurn:
    """One speaker talking without interruption; turns of different speakers may overlap."""

    span: Span
    speaker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarization:
    """A diarizer's answer.

    `turns` are sorted and may overlap. `exclusive` are sorted and never do: one speaker at an instant, meant for
    words. `centroids` maps a speaker to an embedding when the engine has them, and is empty otherwise. `degraded` says
    in a sentence each how the engine did with less than it was configured for. `names` are those of speakers who were
    known by their voices.
    """

    turns: tuple[SpeakerTurn, ...]
    exclusive: tuple[SpeakerTurn, ...]
    centroids: tuple[tuple[str, tuple[float, ...]], ...] = ()
    degraded: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Labels in order of first appearance."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerHints:
    """How many speakers to look for; None means that the diarizer decides."""

    exact: int | None = None
    at_least: int | None = None
    at_most: int | None = None

    def bounds(self, default_most: int) -> tuple[int, int]:
        """Lowest and highest allowed count; `default_most` caps an open upper end.

        >>> SpeakerHints(at_least=3).bounds(20)
        (3, 20)
        """
        if self.exact is not None:
            return self.exact, self.exact
        least = self.at_least or 1
        return least, max(least, self.at_most or default_most)


def channel_label(channel: int) -> str:
    """Label the party on a channel, counted from 0, as a diarizer by channel does.

    >>> channel_label(0)
    'channel_0'
    """
    return f"channel_{channel}"


def exclusive_turns(turns: Iterable[SpeakerTurn]) -> tuple[SpeakerTurn, ...]:
    """Cut overlapping turns so that one speaker holds each instant: whoever of those talking started last.

    Sorted, in O(n log n). Touching or overlapping turns of one speaker count as one, so cutting a turn in two changes
    nothing.

    >>> [(t.span.start, t.span.end, t.speaker) for t in exclusive_turns(
    ...     [SpeakerTurn(Span(0, 500), "a"), SpeakerTurn(Span(400, 900), "b")])]
    [(0, 400, 'a'), (400, 900, 'b')]
    """
    spans: dict[str, list[Span]] = {}
    for turn in turns:
        spans.setdefault(turn.speaker, []).append(turn.span)
    whole = (SpeakerTurn(span, speaker) for speaker, parts in spans.items() for span in merged(parts))
    waiting = sorted(whole, key=lambda turn: turn.span.start, reverse=True)
    edges = sorted({edge for turn in waiting for edge in (turn.span.start, turn.span.end)})
    talking: list[tuple[int, int, str]] = []
    held: list[SpeakerTurn] = []
    for start, end in pairwise(edges):
        while waiting and waiting[-1].span.start <= start:
            turn = waiting.pop()
            heappush(talking, (-turn.span.start, turn.span.end, turn.speaker))
        while talking and talking[0][1] <= start:
            heappop(talking)
        if not talking:
            continue
        speaker = talking[0][2]
        if held and held[-1].speaker == speaker and held[-1].span.end == start:
            held[-1] = SpeakerTurn(Span(held[-1].span.start, end), speaker)
        else:
            held.append(SpeakerTurn(Span(start, end), speaker))
    return tuple(held)
