"""Where a long recording is cut for a diarizer that cannot hold all of it, and which spans share a window.

It must not listen: it knows times alone.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from domain.span import Span

_REACH = 30_000
"""ms around the even share in which a silence is looked for: with it a block is little longer than it should be."""


def stretches(speech: Sequence[Span], duration: int, size: int) -> tuple[Span, ...]:
    """Cut a recording into about equal blocks of about `size` ms, at the longest silence near each even cut.

    `speech` is sorted and disjoint. A recording of at most `size` ms is one block.

    >>> stretches([Span(0, 90), Span(120, 200)], 200, 150)
    (Span(start=0, end=105), Span(start=105, end=200))
    """
    count = max(1, -(-duration // size))
    share = duration / count
    reach = min(_REACH, share / 4)
    silences = [Span(first.end, second.start) for first, second in pairwise(speech) if first.end < second.start]
    cuts = [0]
    for number in range(1, count):
        even = round(number * share)
        near = Span(max(0, round(even - reach)), round(even + reach))
        inside = [part for silence in silences if (part := silence.clamp(near)).duration]
        longest = max(inside, key=lambda part: part.duration, default=Span(even, even))
        cuts.append((longest.start + longest.end) // 2)
    return tuple(Span(start, end) for start, end in pairwise([*cuts, duration]))


def shared_windows(spans: Sequence[Span], duration: int, length: int) -> Iterator[tuple[Span, list[int]]]:
    """Group spans into windows of `length` ms: each window, and the numbers of the spans that lie in it.

    Of a span longer than a window the middle counts. A window reaches beyond no end of a recording that has its length.

    >>> list(shared_windows([Span(0, 400), Span(500, 900), Span(2000, 2500)], 3000, 1000))
    [(Span(start=0, end=1000), [0, 1]), (Span(start=1750, end=2750), [2])]
    """
    hull, numbers = Span(0, 0), list[int]()
    for number in sorted(range(len(spans)), key=lambda number: spans[number]):
        span = _middle(spans[number], length)
        if numbers and hull.hull(span).duration <= length:
            hull = hull.hull(span)
            numbers.append(number)
            continue
        if numbers:
            yield _around(hull, duration, length), numbers
        hull, numbers = span, [number]
    if numbers:
        yield _around(hull, duration, length), numbers


def _middle(span: Span, length: int) -> Span:
    cut = max(0, span.duration - length) // 2
    return Span(span.start + cut, min(span.end, span.start + cut + length))


def _around(hull: Span, duration: int, length: int) -> Span:
    start = max(0, min(hull.start - (length - hull.duration) // 2, duration - length))
    return Span(start, start + length)
