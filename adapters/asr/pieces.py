"""Cutting the speech of a window into pieces that an engine decodes at once; it recognises nothing."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from adapters.pcm import SAMPLES_PER_MS, mapped, samples
from domain.media import DecodedAudio
from domain.span import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FRAME = 20
"""Milliseconds; the step in which quiet places are looked for."""
_PAUSE_FRAMES = 5
"""A tenth of a second: longer than the closure of a plosive, as short as a pause between words can be."""

_STILL_FRAMES, _STILL = 10, 0.01
"""A fifth of a second with a hundredth of a region's power: nobody is in the middle of a word there."""
_AUDIBLE = 8
"""Sixteen-bit steps, -72 dB of full scale: engines make words out of a region in which no sample goes beyond that."""


def pieces(audio: DecodedAudio, speech: Iterable[Span], *, longest: int, pause: int) -> tuple[Span, ...]:
    """Group sorted, disjoint regions into pieces of at most `longest` ms, with the silence between them.

    Regions more than `pause` ms apart are never in one piece, and silent ones in none. A region that is longer than a
    piece is cut at the quietest place in the last third of what a piece may hold.
    """
    grouped: list[Span] = []
    for region in speech:
        if _is_silent(audio, region):
            continue
        for part in _parts(audio, region, longest):
            last = grouped[-1] if grouped else None
            if last and part.start - last.end <= pause and part.end - last.start <= longest:
                grouped[-1] = last.hull(part)
            else:
                grouped.append(part)
    return tuple(grouped)


def pause_in(audio: DecodedAudio, region: Span, *, least: int, most: int) -> int | None:
    """Find the last pause that leaves at least `least` ms of the region on both sides, and at most `most` before it."""
    import numpy as np

    energy = _energy(audio, region, _STILL_FRAMES)
    if energy is None:
        return None
    places = np.flatnonzero(energy <= energy.mean() * _STILL) * _FRAME + _STILL_FRAMES * _FRAME // 2
    fitting = places[(places >= least) & (places <= min(most, region.duration - least))]
    return region.start + int(fitting[-1]) if fitting.size else None


def _is_silent(audio: DecodedAudio, region: Span) -> bool:
    signal = mapped(audio)[region.start * SAMPLES_PER_MS : region.end * SAMPLES_PER_MS]
    return not signal.size or max(int(signal.max()), -int(signal.min())) <= _AUDIBLE


def _parts(audio: DecodedAudio, region: Span, longest: int) -> Iterator[Span]:
    start = region.start
    while region.end - start > longest:
        cut = _quietest(audio, Span(start + 2 * longest // 3, start + longest))
        yield Span(start, cut)
        start = cut
    yield Span(start, region.end)


def _quietest(audio: DecodedAudio, within: Span) -> int:
    """Give the middle of the tenth of a second with the least energy."""
    energy = _energy(audio, within, _PAUSE_FRAMES)
    return within.end if energy is None else within.start + int(energy.argmin()) * _FRAME + _PAUSE_FRAMES * _FRAME // 2


def _energy(audio: DecodedAudio, within: Span, width: int) -> "NDArray[np.float32] | None":
    """Return the power around each frame, over so many frames; None where there are no more of them than that."""
    import numpy as np

    signal = samples(audio, within)
    frames = len(signal) // (_FRAME * SAMPLES_PER_MS)
    if frames <= width:
        return None
    power = np.square(signal[: frames * _FRAME * SAMPLES_PER_MS].reshape(frames, -1)).mean(axis=1)
    return np.convolve(power, np.full(width, 1 / width, np.float32), mode="valid")
