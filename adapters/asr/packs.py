"""Putting stretches of speech end to end, so that an engine with a window of fixed length hears no silence."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.pcm import samples
from domain.media import DecodedAudio
from domain.span import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pack:
    """Stretches of speech, sorted and disjoint, that are heard as one; times in it count speech alone."""

    parts: tuple[Span, ...]

    @property
    def duration(self) -> int:
        """Milliseconds of speech."""
        return sum(part.duration for part in self.parts)

    @property
    def joints(self) -> tuple[int, ...]:
        """Where in the pack each part but the first begins.

        >>> Pack((Span(0, 1000), Span(8000, 9000), Span(9500, 9600))).joints
        (1000, 2000)
        """
        return tuple(itertools.accumulate(part.duration for part in self.parts[:-1]))

    def samples(self, audio: DecodedAudio) -> "NDArray[np.float32]":
        """Read the speech, shape (samples,)."""
        import numpy as np

        return np.concatenate([samples(audio, part) for part in self.parts])


Cut = Callable[[Span, int], int | None]
"""Gives a place to cut a part at that leaves at most so many ms before it, or None where there is no good one."""


def packs(
    parts: Iterable[Span], *, longest: int, reach: int | None = None, cut: Cut = lambda _part, _room: None
) -> tuple[Pack, ...]:
    """Fill packs of at most `longest` ms in order; parts more than `reach` ms apart are never in one.

    >>> [pack.duration for pack in packs([Span(0, 20), Span(50, 60), Span(90, 95)], longest=30)]
    [30, 5]
    >>> [pack.duration for pack in packs([Span(0, 20), Span(50, 68)], longest=30, cut=lambda part, room: 58)]
    [28, 10]
    """
    made: list[list[Span]] = []
    room = 0
    for part in parts:
        rest = part
        near = made and (reach is None or part.start - made[-1][-1].end <= reach)
        if near and part.duration > room and (at := cut(part, room)) is not None:
            made[-1].append(Span(part.start, at))
            rest, room = Span(at, part.end), 0
        if near and rest.duration <= room:
            made[-1].append(rest)
        else:
            made.append([rest])
            room = longest
        room -= rest.duration
    return tuple(Pack(tuple(pack)) for pack in made)
