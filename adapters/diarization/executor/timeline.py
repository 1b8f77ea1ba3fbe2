"""Windows with speakers laid onto one timeline: how many talk at each instant, who they are, and their turns.

It must not lay out every window by itself: frames are summed up some minutes at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from adapters.diarization.executor.exported import Segmentation
from adapters.diarization.executor.networks import Active
from domain.media import SAMPLE_RATE

_BLOCK = 1 << 15
"""Frames that are summed up at once, nine minutes: 2.6 MB for twenty speakers."""

Turns = list[tuple[float, float, int]]
"""Start and end in seconds, and the speaker's number."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The frames of a recording, and where each window's begin."""

    network: Segmentation
    windows: int

    @property
    def frames(self) -> int:
        """How many there are, to the end of the last window."""
        end = self.network.window / SAMPLE_RATE + (self.windows - 1) * self._step
        return int(np.rint(end / self.network.frame_step)) + 1

    @property
    def _step(self) -> float:
        return self.network.step / SAMPLE_RATE

    def starts(self) -> NDArray[np.int64]:
        """Give the first frame of each window."""
        first: NDArray[np.int64] = np.rint(np.arange(self.windows) * self._step / self.network.frame_step).astype(
            np.int64
        )
        return first

    def middle(self, frame: int) -> float:
        """Give the middle of a frame in seconds; it is where turns begin and end."""
        start = frame * self.network.frame_step
        return 0.5 * (start + (start + self.network.frame_duration))

    def talking(self, active: Active) -> NDArray[np.uint8]:
        """Count the voices at each frame: the mean of the windows that cover it, rounded."""
        sums, covers = np.zeros(self.frames, np.float32), np.zeros(self.frames, np.float32)
        for start, window in zip(self.starts().tolist(), active, strict=True):
            sums[start : start + len(window)] += np.bitwise_count(window)
            covers[start : start + len(window)] += 1
        return np.rint(sums / np.maximum(covers, np.float32(1e-12))).astype(np.uint8)

    def turns(self, active: Active, holders: NDArray[np.int8], talking: NDArray[np.uint8]) -> tuple[Turns, Turns]:
        """Find the turns, which may overlap, and the exclusive ones.

        `holders` (windows, slots) are the speakers of the voices, -1 for none. At each frame the speakers whom most
        windows hear talk, as many as `talking` says; of exclusive turns the first of them.
        """
        whole, single = _Runs(self), _Runs(self)
        speakers = int(holders.max()) + 1
        padded = max(speakers, int(talking.max(initial=0)))
        starts = self.starts()
        for first in range(0, self.frames, _BLOCK):
            last = min(self.frames, first + _BLOCK)
            votes = self._votes(active, holders, starts - first, last - first, padded)
            # The sort and its order among equals are numpy's default on purpose: the original's turns follow from it.
            order = np.argsort(-votes, axis=-1)
            count = talking[first:last]
            whole.add(_chosen(order, count, padded))
            if padded > speakers:
                order = np.argsort(-votes[:, :speakers], axis=-1)
            single.add(_chosen(order, np.minimum(count, 1), padded))
        return whole.turns(), single.turns()

    def _votes(
        self, active: Active, holders: NDArray[np.int8], starts: NDArray[np.int64], length: int, speakers: int
    ) -> NDArray[np.float32]:
        """Count, for `length` frames from 0 on, the windows that hear each speaker; `starts` may lie outside."""
        size = self.network.frames
        votes = np.zeros((length + 2 * size, speakers), np.float32)
        for window in np.flatnonzero((starts < length) & (starts + size > 0)).tolist():
            at, held = int(starts[window]) + size, holders[window].tolist()
            for speaker in set(held) - {-1}:
                slots = sum(1 << slot for slot, holder in enumerate(held) if holder == speaker)
                votes[at : at + size, speaker] += active[window] & slots > 0
        return votes[size : size + length]


@dataclass(slots=True)
class _Runs:
    """Turns that grow block by block; a speaker who talks at the end of one goes on in the next."""

    timeline: Timeline
    _held: NDArray[np.bool_] | None = None
    _since: dict[int, int] = field(default_factory=dict)
    _seen: int = 0
    _found: Turns = field(default_factory=list)

    def add(self, held: NDArray[np.bool_]) -> None:
        """Take the next frames, shape (frames, speakers)."""
        before = np.zeros(held.shape[1], bool) if self._held is None else self._held
        changes = np.diff(np.concatenate([before[None], held]).astype(np.int8), axis=0)
        for speaker, frame in np.argwhere(changes.T).tolist():
            self._change(speaker, self._seen + frame)
        self._held = held[-1]
        self._seen += len(held)

    def turns(self) -> Turns:
        """End the last turns at the last frame, and give all."""
        for speaker in list(self._since):
            self._change(speaker, self._seen - 1)
        return sorted(self._bridged())

    def _change(self, speaker: int, frame: int) -> None:
        if speaker not in self._since:
            self._since[speaker] = frame
            return
        start = self._since.pop(speaker)
        if frame > start:
            self._found.append((self.timeline.middle(start), self.timeline.middle(frame), speaker))

    def _bridged(self) -> Iterator[tuple[float, float, int]]:
        """Join turns of one speaker over silences that are too short to count."""
        off = self.timeline.network.min_duration_off
        latest: dict[int, tuple[float, float, int]] = {}
        for turn in sorted(self._found):
            held = latest.get(turn[2])
            if held and turn[0] - held[1] < off:
                latest[turn[2]] = (held[0], turn[1], turn[2])
                continue
            if held:
                yield held
            latest[turn[2]] = turn
        yield from latest.values()


def _chosen(order: NDArray[np.int64], count: NDArray[np.uint8], speakers: int) -> NDArray[np.bool_]:
    """Mark the first `count` speakers of each frame's order."""
    held = np.zeros((len(order), speakers), bool)
    ranks = np.arange(order.shape[1]) < count[:, None]
    np.put_along_axis(held, order, ranks, axis=1)
    return held
