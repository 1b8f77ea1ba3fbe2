"""Cutting a recording into recognition windows, so that memory, progress and restarts are bounded by one of them."""

import itertools
from collections.abc import Iterable

from domain.span import Span

MAX_WINDOW = 300_000
"""Milliseconds; five minutes bound what a restart repeats and how long a cancelled window can matter."""


def plan_windows(speech: Iterable[Span], longest: int = MAX_WINDOW) -> tuple[Span, ...]:
    """Group sorted, disjoint speech regions into windows of at most `longest` ms, cut inside silences.

    Each window is the hull of the regions it holds: silence between windows belongs to none. A region that is longer
    than a window has no silence to cut in and is divided evenly. The plan depends on the speech alone, so a restart
    finds the same windows.

    >>> plan_windows([Span(0, 400), Span(600, 900), Span(2000, 2500)], longest=1000)
    (Span(start=0, end=900), Span(start=2000, end=2500))
    """
    windows: list[Span] = []
    for region in speech:
        for piece in _pieces(region, longest):
            if windows and piece.end - windows[-1].start <= longest:
                windows[-1] = windows[-1].hull(piece)
            else:
                windows.append(piece)
    return tuple(windows)


def _pieces(region: Span, longest: int) -> Iterable[Span]:
    count = -(-region.duration // longest)
    edges = [region.start + region.duration * i // count for i in range(count + 1)] if count else []
    return (Span(start, end) for start, end in itertools.pairwise(edges))
