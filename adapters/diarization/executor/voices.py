"""A voice for each speaker of each window: the trunk once a window, or once over the whole recording.

It must not hold frames of more than a few windows: of the recording it keeps the vectors of those who speak.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from adapters.diarization.executor.exported import Embedding, Segmentation
from adapters.diarization.executor.fbank import Features, fbank
from adapters.diarization.executor.networks import Active, Trunk
from adapters.diarization.executor.pooling import Head, Vectors, statistics, stretched
from adapters.diarization.executor.sound import Read
from application.ports.system import ProgressSink

_TOGETHER = 16
"""Windows whose features are made at once: they overlap, so that this is a tenth of the work."""
_POOLED = 64
"""Windows whose voices go through the last layer at once: four megabytes of statistics."""
_BLOCK = 512
"""Frames of the trunk in one pass of the fast mode, 41 s: the context on both sides is six per cent of it."""
_CENTRED_OVER = 10.0
"""Seconds around a frame over which its mean is taken where there is no window: a window's length."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Voices found: the window and the slot of each, how much of the window it had for itself, and the vector."""

    window: NDArray[np.int32]
    slot: NDArray[np.int8]
    alone: NDArray[np.float32]
    vectors: Vectors


class Frames(Protocol):
    """Frames of the trunk for windows; asked in order."""

    def of(self, windows: list[int]) -> Iterator[NDArray[np.float32]]:
        """Give frames (channels, n) for each of these windows."""


def spoken(active: Active, frames: Frames, head: Head, given: Embedding, on_progress: ProgressSink) -> Spoken:
    """Make the voices of every speaker who is heard at all; slots that are silent cost nothing.

    `active` is (windows, frames), as the segmenter gives it.
    """
    slots = np.arange(8, dtype=np.uint8)
    heard = np.bitwise_or.reduce(active, axis=1)
    window, slot = np.nonzero(heard[:, None] >> slots & 1)
    single = np.bitwise_count(active) == 1
    # Where a voice has nearly nothing for itself, what it shares with others has to do.
    least = given.least_frames
    alone = np.empty(len(window), np.float32)
    vectors = np.empty((len(window), given.dimension), np.float32)
    first, pooled = 0, list[Vectors]()
    busy = np.unique(window).tolist()
    for number, (at, made) in enumerate(zip(busy, frames.of(busy), strict=True)):
        last = first + int(np.bitwise_count(heard[at]))
        held = (active[at] >> slots[slot[first:last], None] & 1).astype(bool)
        own = held & single[at]
        clean = own.sum(axis=1)
        alone[first:last] = clean / active.shape[1]
        if given.exclude_overlap:
            held = np.where((clean > least)[:, None], own, held)
        pooled.append(statistics(made, stretched(held, made.shape[1])))
        first = last
        # The last layer is two megabytes of weights: reading them for each voice would cost a tenth of the whole.
        if len(pooled) == _POOLED or number == len(busy) - 1:
            rows = np.concatenate(pooled)
            vectors[first - len(rows) : first] = head.vectors(rows)
            pooled.clear()
        on_progress((number + 1) / len(busy))
    return Spoken(window.astype(np.int32), slot.astype(np.int8), alone, vectors)


@dataclass(frozen=True, slots=True)
class Exact:
    """One pass of the trunk a window, its features centred over the window, as the original does for each voice."""

    read: Read
    starts: range
    network: Segmentation
    given: Embedding
    trunk: Trunk

    def of(self, windows: list[int]) -> Iterator[NDArray[np.float32]]:
        """Give frames (channels, n) for each of these windows."""
        for first in range(0, len(windows), _TOGETHER):
            for features in self._features(windows[first : first + _TOGETHER]):
                yield self.trunk.frames(features - features.mean(axis=0))

    def _features(self, windows: list[int]) -> Iterator[Features]:
        size, shift = self.network.window, self.given.shift
        aligned = self.starts.step % shift == 0
        adjacent = self.starts[windows[-1]] - self.starts[windows[0]] <= 2 * _TOGETHER * self.starts.step
        if not (aligned and adjacent):
            for window in windows:
                yield mel(self.read(self.starts[window], size), self.given)
            return
        begin = self.starts[windows[0]]
        whole = mel(self.read(begin, self.starts[windows[-1]] + size - begin), self.given)
        count = 1 + (size - self.given.length) // shift
        for window in windows:
            at = (self.starts[window] - begin) // shift
            yield whole[at : at + count]


class Fast:
    """One pass of the trunk over the recording, its features centred over a running mean; windows only look up."""

    def __init__(
        self, read: Read, starts: range, network: Segmentation, given: Embedding, trunk: Trunk, *, total: int
    ) -> None:
        self._read = read
        self._starts = starts
        self._network = network
        self._given = given
        self._trunk = trunk
        self._features = max(1, 1 + (total - given.length) // given.shift)
        self._block = lru_cache(maxsize=2)(self._made)

    def of(self, windows: list[int]) -> Iterator[NDArray[np.float32]]:
        """Give frames (channels, n) for each of these windows."""
        own = 1 + (self._network.window - self._given.length) // self._given.shift
        count = -(-own // self._given.stride)
        for window in windows:
            first = round(self._starts[window] / (self._given.shift * self._given.stride))
            yield self.frames(min(first, (self._features - 1) // self._given.stride), count)

    def frames(self, first: int, count: int) -> NDArray[np.float32]:
        """Give `count` frames from one on; after the recording's last one its like are repeated."""
        blocks = range(first // _BLOCK, (first + count - 1) // _BLOCK + 1)
        made = [self._block(block) for block in blocks if block * _BLOCK * self._given.stride < self._features]
        joined = made[0] if len(made) == 1 else np.concatenate(made, axis=1)
        chosen = np.arange(first, first + count) - blocks[0] * _BLOCK
        return joined[:, np.minimum(chosen, joined.shape[1] - 1)]

    def _made(self, block: int) -> NDArray[np.float32]:
        stride, reach = self._given.stride, self._given.reach
        first = block * _BLOCK * stride
        last = min(self._features, first + _BLOCK * stride)
        features = centred(
            self._read, max(0, first - reach), min(self._features, last + reach), self._features, self._given
        )
        frames = self._trunk.frames(features)
        skipped = (first - max(0, first - reach)) // stride
        return np.ascontiguousarray(frames[:, skipped : skipped - (-(last - first) // stride)])


def centred(read: Read, first: int, last: int, total: int, given: Embedding) -> Features:
    """Make the features `first` to `last` less their mean over some seconds around; the recording has `total`."""
    half = round(_CENTRED_OVER * 16_000 / given.shift / 2)
    begin, end = max(0, first - half), min(total, last + half)
    features = mel(read(begin * given.shift, (end - 1 - begin) * given.shift + given.length), given)
    sums = np.concatenate([np.zeros((1, given.bins)), np.cumsum(features, axis=0, dtype=np.float64)])
    middle = np.arange(first, last) - begin
    low, high = np.maximum(middle - half, 0), np.minimum(middle + half + 1, len(features))
    means = (sums[high] - sums[low]) / (high - low)[:, None]
    less: Features = (features[middle] - means).astype(np.float32)
    return less


def mel(sound: NDArray[np.float32], given: Embedding) -> Features:
    """Make the features that the network was trained on."""
    return fbank(sound, bins=given.bins, length=given.length, shift=given.shift)
