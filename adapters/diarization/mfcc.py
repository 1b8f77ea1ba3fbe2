"""Mel-frequency cepstra of 16 kHz speech, as librosa computes them; knows nothing of speakers."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, rfft

from domain.media import SAMPLE_RATE

HOP = 160
"""Samples between frames: frame t is centred on sample 160 t, that is on 10 t ms."""

COEFFICIENTS = 19
"""Cepstra kept, the zeroth (loudness) left out; the classic number for speakers."""

_WINDOW = 400
_FFT = 512
_BANDS = 40
_AT_ONCE = 3000
_FLOOR = 1e-10

MARGIN = _FFT // 2
"""Samples that a frame reaches to either side of its centre."""


def cepstra(padded: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cepstra, shape (frames, COEFFICIENTS), and mean band level in dB, shape (frames,).

    `padded` holds MARGIN samples before the first frame's centre and after the last one's.
    """
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::HOP]
    cepstrum = np.empty((len(frames), COEFFICIENTS), np.float32)
    level = np.empty(len(frames), np.float32)
    for start in range(0, len(frames), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        power = np.abs(rfft(frames[part] * _window(), axis=1)) ** 2
        bands = 10 * np.log10(np.maximum(power @ _mel_filters().T, _FLOOR))
        cepstrum[part] = dct(bands, axis=1, norm="ortho")[:, 1 : COEFFICIENTS + 1]
        level[part] = bands.mean(axis=1)
    return cepstrum, level


@cache
def _window() -> NDArray[np.float32]:
    """A periodic Hann window, centred in the transform."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    side = (_FFT - _WINDOW) // 2
    return np.pad(hann, side).astype(np.float32)


@cache
def _mel_filters() -> NDArray[np.float32]:
    """Triangles of equal area on Slaney's mel scale (Auditory Toolbox, 1998), shape (bands, bins)."""
    linear, step = 200 / 3, np.log(6.4) / 27  # linear below 1 kHz, logarithmic above
    top = 15 + np.log(SAMPLE_RATE / 2 / 1000) / step
    mels = np.linspace(0, top, _BANDS + 2)
    edges = np.where(mels < 15, mels * linear, 1000 * np.exp(step * (mels - 15)))  # noqa: PLR2004 - 15 mel is 1 kHz
    bins = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    height = 2 / (edges[2:] - edges[:-2])
    filters: NDArray[np.float32] = (np.maximum(0, np.minimum(rising, falling)) * height[:, None]).astype(np.float32)
    return filters
