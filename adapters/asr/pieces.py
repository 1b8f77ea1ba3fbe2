"""Cutting the speech of a window into pieces that an engine decodes at once; it recognises nothing."""

from collections.abc import Iterable, Iterator

from adapters.pcm import SAMPLES_PER_MS, mapped, samples
from domain.media import DecodedAudio
from domain.span import Span

_FRAME = 20
"""Milliseconds; the step in which quiet places are looked for."""
_PAUSE_FRAMES = 5
"""A tenth of a second: longer than the closure of a plosive, as short as a pause between words can be."""

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
    import numpy as np

    signal = samples(audio, within)
    frames = len(signal) // (_FRAME * SAMPLES_PER_MS)
    if frames <= _PAUSE_FRAMES:
        return within.end
    framed = signal[: frames * _FRAME * SAMPLES_PER_MS].reshape(frames, -1)
    energy = np.convolve(np.square(framed).mean(axis=1), np.ones(_PAUSE_FRAMES), mode="valid")
    return within.start + int(energy.argmin()) * _FRAME + _PAUSE_FRAMES * _FRAME // 2
