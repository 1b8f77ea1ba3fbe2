"""How the two channels of a stereo recording relate: the same sound twice, one party on each, or one sound field.

It keeps a handful of sums whatever the length of the recording, and judges nothing but their ratios, so that neither
the loudness of a recording nor its noise needs a threshold.
"""

import numpy as np
from numpy.typing import NDArray

from domain.media import ChannelRelation

WINDOW = 320
"""Samples: 20 ms, shorter than a syllable and long enough for a stable level."""

SAME_CORRELATION = 0.98
"""Correlation of the samples from which both channels carry one signal. Noise 20 dB below the speech leaves 0.99, and
so do lossy codecs; two microphones in one room stay under 0.9."""

SILENT_RATIO = 1e-4
"""Ratio of energies (-40 dB) under which a channel is taken for an unplugged input rather than for a quiet party."""

DISTINCT_CORRELATION = 0.45
"""Correlation of the levels, window by window, up to which each channel hears a party of its own. Two parties give
-0.1 when they take turns and 0.2 when they talk over each other, and 0.4 when each channel hears the other 15 dB
lower; the same voices 9 dB apart, as two microphones on one table hear them, give 0.6, and near ones 0.9."""

INVERTED_CORRELATION = -0.9
"""Correlation of the samples under which one channel is the other upside down."""


class RelationMeter:
    """Takes blocks of stereo samples in turn; `relation` is the verdict on all of them."""

    def __init__(self) -> None:
        self._windows = 0
        self._levels = np.zeros(2)
        self._energies = np.zeros(2)
        self._level_product = 0.0
        self._sample_product = 0.0

    def add(self, block: NDArray[np.float64]) -> None:
        """Count a block of shape (samples, 2); what does not fill a window is left out."""
        windows = block[: len(block) // WINDOW * WINDOW].reshape(-1, WINDOW, 2)
        energies = np.einsum("wsc,wsc->wc", windows, windows)
        self._windows += len(windows)
        self._levels += np.sqrt(energies).sum(axis=0)
        self._energies += energies.sum(axis=0)
        self._level_product += float(np.sqrt(energies.prod(axis=1)).sum())
        self._sample_product += float(np.einsum("ws,ws->", windows[..., 0], windows[..., 1]))

    @property
    def relation(self) -> ChannelRelation:
        """IDENTICAL up to gain, polarity and noise, or with one side silent; DISTINCT parties; else MIXED."""
        if self._energies.min() <= SILENT_RATIO * self._energies.max():
            return ChannelRelation.IDENTICAL
        if abs(self._sample_product) >= SAME_CORRELATION * float(np.sqrt(self._energies.prod())):
            return ChannelRelation.IDENTICAL
        # The square of a window's level is its energy, so that these are the levels' covariance and variances.
        covariance = self._windows * self._level_product - float(self._levels.prod())
        variances = self._windows * self._energies - self._levels**2
        if covariance < DISTINCT_CORRELATION * float(np.sqrt(variances.prod())):
            return ChannelRelation.DISTINCT
        return ChannelRelation.MIXED


def mixed(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mix a block of shape (samples, 2) to (samples,): half the sum, or half the difference of inverted channels.

    Some cables and microphones invert one side; the plain sum of such a recording is silence.
    """
    left, right = block[:, 0], block[:, 1]
    same = float(left @ right)
    inverted = same < INVERTED_CORRELATION * float(np.sqrt((left @ left) * (right @ right)))
    return (left - right if inverted else left + right) / 2
