"""Mel features as Kaldi makes them and WeSpeaker's networks expect them, in numpy.

It must not centre them: over what the mean is taken is the caller's to say.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from domain.media import SAMPLE_RATE

Features = NDArray[np.float32]

_FULL_SCALE = 32_768.0
"""Kaldi works on 16-bit integers."""
_PREEMPHASIS = 0.97
_LOWEST = 20.0
"""Hz; the lower edge of the first band. The upper edge of the last is half the sampling rate."""
_FLOOR = float(np.finfo(np.float32).eps)


def fbank(sound: NDArray[np.float32], *, bins: int, length: int, shift: int) -> Features:
    """Log mel energies of whole frames of `length` samples every `shift`; samples in [-1, 1), shape (frames, bins)."""
    if len(sound) < length:
        return np.empty((0, bins), np.float32)
    window, bands, points = _tables(bins, length)
    frames = np.lib.stride_tricks.sliding_window_view(sound, length)[::shift] * np.float32(_FULL_SCALE)
    frames -= frames.mean(axis=1, keepdims=True)
    sharpened = frames.copy()
    sharpened[:, 1:] -= np.float32(_PREEMPHASIS) * frames[:, :-1]
    sharpened[:, 0] *= np.float32(1 - _PREEMPHASIS)
    sharpened *= window
    spectrum = fft.rfft(sharpened, n=points, axis=1)[:, :-1]
    power = spectrum.real**2 + spectrum.imag**2
    energies: Features = np.log(np.maximum(power @ bands, np.float32(_FLOOR)))
    return energies


@lru_cache(maxsize=4)
def _tables(bins: int, length: int) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Give the window, the bands as a matrix (points / 2, bins) and the points of the transform."""
    points = 1 << (length - 1).bit_length()
    mel = _mel(np.linspace(0.0, SAMPLE_RATE / 2, points // 2, endpoint=False))
    edges = np.linspace(_mel(np.array(_LOWEST)), _mel(np.array(SAMPLE_RATE / 2)), bins + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (mel[:, None] - left) / (centre - left)
    falling = (right - mel[:, None]) / (right - centre)
    bands = np.maximum(0.0, np.minimum(rising, falling))
    return np.hamming(length).astype(np.float32), bands.astype(np.float32), points


def _mel(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(frequency / 700.0)
