"""Putting stretches of speech end to end, so that an engine with a window of fixed length hears no silence."""

import itertools
from collections.abc import Iterable
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


def packs(parts: Iterable[Span], *, longest: int, reach: int | None = None) -> tuple[Pack, ...]:
    """Fill packs of at most `longest` ms in order; parts more than `reach` ms apart are never in one.

    >>> [pack.duration for pack in packs([Span(0, 20), Span(50, 60), Span(90, 95)], longest=30)]
    [30, 5]
    """
    made: list[list[Span]] = []
    room = 0
    for part in parts:
        near = made and (reach is None or part.start - made[-1][-1].end <= reach)
        if near and part.duration <= room:
            made[-1].append(part)
        else:
            made.append([part])
            room = longest
        room -= part.duration
    return tuple(Pack(tuple(pack)) for pack in made)
