"""How much each speaker spoke; counted, never judged."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.span import Span, covered, merged
from domain.speaker import SpeakerTurn
from domain.transcript import Segment

BREATH = 500
"""Milliseconds; a speaker who pauses no longer than that is still in the same turn."""
_MINUTE = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerStatistics:
    """One speaker's part; times in ms, `share` of all talk time from 0 to 1.

    `overlap_time` is how long somebody else spoke as well; `words_per_minute` counts minutes of talk. `segments` are
    those of the transcript that are this speaker's. `interruptions` are turns that begin while somebody else is
    speaking and go on when that one has stopped: a short "mhm" within another's turn is none.
    """

    speaker: str
    talk_time: int
    share: float
    turns: int
    segments: int
    words: int
    words_per_minute: float
    overlap_time: int
    longest_turn: int
    interruptions: int


def statistics(segments: Sequence[Segment], turns: Iterable[SpeakerTurn]) -> tuple[SpeakerStatistics, ...]:
    """Return each speaker's statistics, in order of first word, then of first turn.

    Times come from the turns; where there are none, from the words, or from whole segments that have no words.
    """
    counts: Counter[str] = Counter()
    said: dict[str, list[Span]] = {}
    for segment in segments:
        for speaker, span, number in _utterances(segment):
            if speaker is not None:
                counts[speaker] += number
                said.setdefault(speaker, []).append(span)
    held: dict[str, list[Span]] = {}
    for turn in turns:
        held.setdefault(turn.speaker, []).append(turn.span)
    talk = {
        speaker: merged(held.get(speaker, ())) if held else merged(said[speaker], BREATH)
        for speaker in dict.fromkeys([*said, *held])
    }
    own = Counter(segment.speaker for segment in segments)
    overlaps = _overlap_times(talk)
    wholes = {speaker: merged(spans, BREATH) for speaker, spans in talk.items()}
    taken = _interruptions(wholes)
    total = sum(covered(spans) for spans in talk.values())
    return tuple(
        SpeakerStatistics(
            speaker=speaker,
            talk_time=(time := covered(spans)),
            share=time / total if total else 0.0,
            turns=len(wholes[speaker]),
            segments=own[speaker],
            words=counts[speaker],
            words_per_minute=counts[speaker] * _MINUTE / time if time else 0.0,
            overlap_time=overlaps[speaker],
            longest_turn=max((turn.duration for turn in wholes[speaker]), default=0),
            interruptions=taken[speaker],
        )
        for speaker, spans in talk.items()
    )


def _utterances(segment: Segment) -> Iterable[tuple[str | None, Span, int]]:
    if segment.words:
        return ((word.speaker, word.span, 1) for word in segment.words)
    return ((segment.speaker, segment.span, len(segment.text.split())),)


def _interruptions(turns: dict[str, tuple[Span, ...]]) -> Counter[str]:
    """Count for each speaker the turns that begin inside another's and outlast it.

    Of equal beginnings neither interrupts. One sweep by beginning: only turns that still run are compared.
    """
    taken: Counter[str] = Counter()
    running: list[tuple[Span, str]] = []
    for turn, speaker in sorted((turn, speaker) for speaker, spans in turns.items() for turn in spans):
        running = [(span, who) for span, who in running if span.end > turn.start]
        taken[speaker] += any(span.start < turn.start and span.end < turn.end for span, _ in running)
        running.append((turn, speaker))
    return taken


def _overlap_times(talk: dict[str, tuple[Span, ...]]) -> Counter[str]:
    """Sweep over all edges in time; whenever several speak, each of them gets the time to the next edge."""
    edges = sorted(
        (instant, begins, speaker)
        for speaker, spans in talk.items()
        for span in spans
        if span.duration
        for instant, begins in ((span.start, True), (span.end, False))
    )
    times: Counter[str] = Counter()
    talking: set[str] = set()
    since = 0
    for instant, begins, speaker in edges:
        if len(talking) > 1:
            times.update(dict.fromkeys(talking, instant - since))
        since = instant
        (talking.add if begins else talking.discard)(speaker)
    return times
