"""Cutting attributed words into segments: one speaker, one sentence or so; it moves no word and changes no time."""

from collections.abc import Iterable, Iterator, Sequence

from domain.sentences import ends_sentence
from domain.span import Span
from domain.transcript import Quality, Segment, Word, join_words

PAUSE = 1_000
"""Milliseconds of silence that end a segment."""
LONGEST = 30_000
"""Milliseconds; a segment that runs on is cut at the widest pause in the second half of what it may hold."""

_Placed = tuple[Word, Segment]
"""A word and the segment that it was recognised in."""


def regroup(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return new segments of the same words in the same order.

    A segment ends where the speaker, the language or the channel changes, after a sentence, and at a long pause. Its
    `quality` is that of the recognised segment that most of its words come from. Segments without words stay as they
    are.
    """
    made: list[Segment] = []
    run: list[_Placed] = []
    for segment in segments:
        for word in segment.words:
            if run and _apart(run[-1], (word, segment)):
                made += _cut(run)
                run = []
            run.append((word, segment))
        if not segment.words:
            made += _cut(run)
            run = []
            made.append(segment)
    return (*made, *_cut(run))


def _apart(last: _Placed, following: _Placed) -> bool:
    (word, segment), (next_word, next_segment) = last, following
    return (
        word.speaker != next_word.speaker
        or segment.language != next_segment.language
        or segment.channel != next_segment.channel
        or ends_sentence(word.text)
        or next_word.span.start - word.span.end >= PAUSE
    )


def _cut(run: Sequence[_Placed]) -> Iterator[Segment]:
    first = 0
    for index, (word, _) in enumerate(run):
        while index > first and word.span.end - run[first][0].span.start > LONGEST:
            cuts = range((first + index + 1) // 2, index + 1)
            cut = max(cuts, key=lambda at: run[at][0].span.start - run[at - 1][0].span.end)
            yield _segment(run[first:cut])
            first = cut
    if run:
        yield _segment(run[first:])


def _segment(run: Sequence[_Placed]) -> Segment:
    words = tuple(word for word, _ in run)
    first = run[0][1]
    return Segment(
        span=Span(min(word.span.start for word in words), max(word.span.end for word in words)),
        text=join_words(words),
        words=words,
        speaker=words[0].speaker,
        language=first.language,
        channel=first.channel,
        quality=_prevailing_quality(run),
    )


def _prevailing_quality(run: Sequence[_Placed]) -> Quality | None:
    qualities = [segment.quality for _, segment in run]
    return max(dict.fromkeys(qualities), key=qualities.count)
