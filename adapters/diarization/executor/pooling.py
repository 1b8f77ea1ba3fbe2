"""From frames to voices: weighted statistics and the network's last layer, in 32-bit floats.

It must not be done in fewer bits: half precision loses the spread of quiet channels, and with it the speakers.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import EngineUnavailable

Vectors = NDArray[np.float32]
"""One voice a row."""


class Head:
    """The last layer: mean and spread of the frames of a voice to its vector."""

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path) as arrays:
                self._weight, self._bias = arrays["weight"].astype(np.float32), arrays["bias"].astype(np.float32)
        except (OSError, KeyError, ValueError) as error:
            raise EngineUnavailable(f"{path} cannot be read: {error}") from error

    def vectors(self, statistics: Vectors) -> Vectors:
        """Statistics (n, 2 channels) to vectors (n, dimension)."""
        made: Vectors = statistics @ self._weight.T + self._bias
        return made


def statistics(frames: NDArray[np.float32], held: NDArray[np.bool_]) -> Vectors:
    """Mean and unbiased spread of the frames that each voice holds; zeros for one that holds none.

    `frames` are (channels, n), `held` is (voices, n); the answer is (voices, 2 channels).
    """
    found = np.zeros((len(held), 2 * len(frames)), np.float32)
    for voice, chosen in enumerate(held):
        count = int(chosen.sum())
        if count == 0:
            continue
        own = frames[:, chosen]
        mean = own.mean(axis=1)
        found[voice, : len(frames)] = mean
        if count > 1:
            own -= mean[:, None]
            found[voice, len(frames) :] = np.sqrt(np.einsum("ij,ij->i", own, own) / np.float32(count - 1))
    return found


def stretched(mask: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """Give a mask (voices, n) another length by taking the nearest earlier entry, as PyTorch's interpolation does."""
    share = np.float32(mask.shape[1] / length)
    chosen = np.minimum((np.arange(length, dtype=np.float32) * share).astype(np.int64), mask.shape[1] - 1)
    return mask[:, chosen]
