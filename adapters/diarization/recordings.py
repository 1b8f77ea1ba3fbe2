"""A recording as blocks of frames: reads them, has each told apart, links the speakers found; holds one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from adapters.diarization import mixtures
from adapters.diarization.clusters import Clusters, groups, merging, two_speakers
from adapters.diarization.mfcc import HOP, MARGIN, cepstra
from adapters.diarization.mixtures import Frames, Labels
from adapters.diarization.speakers import assigned
from adapters.pcm import SAMPLES_PER_MS, samples
from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span

Holders = NDArray[np.int16]
"""The speaker of each frame of a block."""

_FRAME = HOP // SAMPLES_PER_MS
_REACH = MARGIN // SAMPLES_PER_MS
_QUIET = 30.0
"""dB under the loud frames (their 95th percentile) at which a frame tells of the room, not of a voice."""

_FIRST_PASS = 0.9
"""Share of the work in the first pass; the second has everybody's models already."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some regions of speech; frame t of the recording stands for the 10 ms from 10 t on."""

    regions: tuple[Span, ...]

    def frames(self) -> Iterator[tuple[Span, range]]:
        """Regions with the frames that they hold; one too short for a frame has the one it begins in."""
        for region in self.regions:
            first = region.start // _FRAME
            yield region, range(first, max(first + 1, region.end // _FRAME))

    def heard(self, audio: DecodedAudio) -> tuple[Frames, NDArray[np.bool_]]:
        """Cepstra of all frames, shape (frames, coefficients), and which of them are loud enough to tell a voice."""
        parts = [cepstra(_padded(audio, frames)) for _, frames in self.frames()]
        level = np.concatenate([level for _, level in parts])
        return np.concatenate([part for part, _ in parts]), level >= np.percentile(level, 95) - _QUIET

    def runs(self, holders: Holders) -> Iterator[tuple[Span, int]]:
        """Runs of one holder within each region, as spans that together cover the regions."""
        at = 0
        for region, frames in self.frames():
            held = holders[at : at + len(frames)]
            at += len(frames)
            changes = [0, *(np.flatnonzero(np.diff(held)) + 1).tolist()]
            edges = [region.start, *((frames.start + change) * _FRAME for change in changes[1:]), region.end]
            for change, start, end in zip(changes, edges, edges[1:], strict=False):
                yield Span(start, end), int(held[change])


def diarized(
    audio: DecodedAudio, blocks: tuple[Block, ...], bounds: tuple[int, int], on_progress: ProgressSink
) -> list[Holders]:
    """Find the holder of each frame, block by block; `bounds` are the fewest and the most speakers."""
    on_progress(0.0)
    found: list[Holders] = []
    statistics: list[Clusters] = []
    for number, block in enumerate(blocks):
        frames, loud = block.heard(audio)
        labels, count = np.zeros(int(loud.sum()), np.int64), 1
        for better in assigned(frames[loud], *bounds):
            labels, count = better
            on_progress(_FIRST_PASS * (number + count / (bounds[1] + 1)) / len(blocks))
        statistics.append(Clusters.of([frames[loud][labels == speaker] for speaker in range(count)]))
        found.append(_spread(labels, loud))
    if not blocks:
        return []
    speakers, models = _linked(statistics, bounds)
    shift = np.cumsum([0, *(len(part) for part in statistics)])
    linked = [speakers[holders + first] for holders, first in zip(found, shift, strict=False)]
    if len(models) == 1:
        return linked
    settled: list[Holders] = []
    for number, block in enumerate(blocks):
        settled.append(_settled(block, audio, models))
        on_progress(_FIRST_PASS + (1 - _FIRST_PASS) * (number + 1) / len(blocks))
    heard = len(np.unique(np.concatenate(settled)))
    return settled if heard >= min(bounds[0], len(models)) else linked


def _linked(statistics: list[Clusters], bounds: tuple[int, int]) -> tuple[Holders, Clusters]:
    """Merge the blocks' speakers that sound alike; the recording's speaker for each of them, and the models."""
    every = Clusters.joined(statistics)
    least, most = bounds
    steps = merging(every, min(least, len(every)), two_speakers)
    alike = sum(1 for _ in takewhile(lambda step: step[2] < 0, steps))
    members = groups(len(every), steps[: max(alike, len(every) - most)])
    members.sort(key=min)
    speakers = np.empty(len(every), np.int16)
    for speaker, clusters in enumerate(members):
        speakers[clusters] = speaker
    return speakers, every.pooled(members)


def _settled(block: Block, audio: DecodedAudio, models: Clusters) -> Holders:
    """Decide every frame of a block anew, among all speakers of the recording."""
    frames, loud = block.heard(audio)
    mean, spread = models.gaussians()
    scores = np.empty((int(loud.sum()), len(models)))
    for speaker in range(len(models)):
        away = np.linalg.solve(np.linalg.cholesky(spread[speaker]), (frames[loud] - mean[speaker]).T)
        scores[:, speaker] = -0.5 * ((away**2).sum(axis=0) + np.linalg.slogdet(spread[speaker])[1])
    return _spread(mixtures.path(scores, mixtures.SETTLED)[0], loud)


def _spread(labels: Labels, loud: NDArray[np.bool_]) -> Holders:
    """Give quiet frames to whoever spoke last; those before the first word to the first speaker."""
    latest = np.maximum(np.cumsum(loud) - 1, 0)
    holders: Holders = labels[latest].astype(np.int16)
    return holders


def _padded(audio: DecodedAudio, frames: range) -> NDArray[np.float32]:
    """Samples around the centres of the frames, with zeros beyond the recording's ends."""
    start, end = frames.start * _FRAME - _REACH, (frames.stop - 1) * _FRAME + _REACH
    heard = samples(audio, Span(max(0, start), end))
    before = max(0, -start) * SAMPLES_PER_MS
    return np.pad(heard, (before, (end - start) * SAMPLES_PER_MS - before - len(heard)))
