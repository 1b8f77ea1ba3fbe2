"""A second look at who spoke: how the voice in a stretch compares with the speakers'; voices are measured elsewhere.

A diarizer decides by windows, a recogniser knows where sentences are. A segment of one speaker, a sentence or so, is
given to another when its voice is nearer to theirs: a little nearer where the turns speak for them as well, by a good
margin where nothing else does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot
from operator import mul

from domain.span import Span
from domain.transcript import Alternative, Move, Segment, Word

LEAST = 1_000
"""Milliseconds; shorter speech tells too little of a voice."""
AGREED, ALONE = 0.05, 0.2
"""How much nearer another voice must be, as a difference of cosines: where the turns agree, and where they do not."""

Voice = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What to listen to: the longest part of a segment in which nobody else talks."""

    track: int
    segment: int
    span: Span
    doubtful: bool


def stretches(tracks: Sequence[Sequence[Segment]]) -> tuple[Stretch, ...]:
    """Return what is worth a second look, the doubtful first, each in order of time.

    Doubtful are segments of whose words the turns speak for somebody else as well.
    """
    found = [
        Stretch(track=track, segment=number, span=span, doubtful=any(word.alternatives for word in segment.words))
        for track, segments in enumerate(tracks)
        for number, segment in enumerate(segments)
        for span in (_alone(segment),)
        if span.duration >= LEAST
    ]
    return tuple(sorted(found, key=lambda stretch: (not stretch.doubtful, stretch.span)))


def second_look(segment: Segment, voice: Voice, centroids: Mapping[str, Voice]) -> Move | None:
    """Return the move that a segment's voice asks for, if any."""
    near = {speaker: _cosine(voice, centroid) for speaker, centroid in centroids.items()}
    after = max(near, key=near.__getitem__)
    if after == segment.speaker or (segment.speaker is not None and segment.speaker not in near):
        return None
    others = [likeness for speaker, likeness in near.items() if speaker != after]
    margin = near[after] - (max(others, default=0.0) if segment.speaker is None else near[segment.speaker])
    agreed = any(other.speaker == after for word in segment.words for other in word.alternatives)
    if margin < (AGREED if agreed else ALONE):
        return None
    return Move(span=segment.span, before=segment.speaker, after=after, margin=margin)


def moved(segment: Segment, after: str) -> Segment:
    """Return the segment with all its words given to another speaker."""
    return replace(segment, speaker=after, words=tuple(_given(word, after) for word in segment.words))


def _given(word: Word, after: str) -> Word:
    """What the turns gave to the speaker of before stays on record as an alternative."""
    others = [other for other in word.alternatives if other.speaker != after]
    if word.speaker is not None:
        left = 1.0 - sum(other.share for other in word.alternatives)
        others.append(Alternative(word.speaker, round(max(0.0, left), 3)))
    return replace(word, speaker=after, alternatives=tuple(sorted(others, key=lambda other: -other.share)))


def _alone(segment: Segment) -> Span:
    if not segment.words:
        return segment.span
    return max(_runs(segment.words), key=lambda span: span.duration, default=Span(0, 0))


def _runs(words: Iterable[Word]) -> Iterator[Span]:
    run: Span | None = None
    for word in words:
        if word.overlap:
            if run is not None:
                yield run
            run = None
        else:
            run = word.span if run is None else run.hull(word.span)
    if run is not None:
        yield run


def _cosine(voice: Voice, other: Voice) -> float:
    lengths = hypot(*voice) * hypot(*other)
    return sum(map(mul, voice, other)) / lengths if lengths else 0.0
