"""Reading a recording by samples, with silence beyond its ends; never the whole of it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from adapters.pcm import SAMPLES_PER_MS, samples
from domain.media import DecodedAudio
from domain.span import Span

Read = Callable[[int, int], NDArray[np.float32]]
"""Gives `length` samples from `start` on, zeros where there is no recording."""


def reader(audio: DecodedAudio) -> Read:
    """Read a decoded recording."""

    def read(start: int, length: int) -> NDArray[np.float32]:
        first = min(max(0, start // SAMPLES_PER_MS), audio.duration)
        last = min(max(first, -(-(start + length) // SAMPLES_PER_MS)), audio.duration)
        return padded(samples(audio, Span(first, last)), start - first * SAMPLES_PER_MS, length)

    return read


def padded(sound: NDArray[np.float32], start: int, length: int) -> NDArray[np.float32]:
    """Cut `length` samples from `start` on, which may lie outside."""
    cut = sound[max(0, start) : max(0, start + length)]
    before = min(length, max(0, -start))
    return np.pad(cut, (before, length - before - len(cut)))


def window_starts(total: int, window: int, step: int) -> range:
    """Give the first sample of each window: whole ones, then one more for what is left, if anything is.

    >>> list(window_starts(25, 10, 5)), list(window_starts(26, 10, 5)), list(window_starts(3, 10, 5))
    ([0, 5, 10, 15], [0, 5, 10, 15, 20], [0])
    """
    beyond = max(0, total - window)
    return range(0, beyond + step if beyond % step else beyond + 1, step)
