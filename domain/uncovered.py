"""Speech that nobody wrote down: where a detector heard somebody and no word stands; it judges no text."""

from collections.abc import Iterable, Iterator, Sequence

from domain.span import Span, merged

LEAST = 1_000
"""Milliseconds; less is a breath, a laugh or an "mm" as often as a lost word."""
MARGIN = 500
"""Milliseconds that a word vouches for on both sides: detectors pad speech by 250, and alignment errs by as much."""


def uncovered(speech: Iterable[Span], words: Iterable[Span]) -> tuple[Span, ...]:
    """Return the parts of `speech`, sorted and disjoint, of at least `LEAST` ms, that lie further than that from words.

    >>> uncovered([Span(0, 4000), Span(6000, 9000)], [Span(200, 900), Span(900, 1500)])
    (Span(start=2000, end=4000), Span(start=6000, end=9000))
    """
    vouched = merged(Span(max(0, word.start - MARGIN), word.end + MARGIN) for word in words)
    return tuple(gap for gap in _without(speech, vouched) if gap.duration >= LEAST)


def _without(spans: Iterable[Span], holes: Sequence[Span]) -> Iterator[Span]:
    """Cut holes, sorted and disjoint, out of sorted spans; linear in both."""
    at = 0
    for span in spans:
        start = span.start
        while at < len(holes) and holes[at].end <= start:
            at += 1
        number = at
        while number < len(holes) and holes[number].start < span.end:
            if holes[number].start > start:
                yield Span(start, holes[number].start)
            start = max(start, holes[number].end)
            number += 1
        if start < span.end:
            yield Span(start, span.end)
