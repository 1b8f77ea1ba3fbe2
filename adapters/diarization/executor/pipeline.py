"""The steps of a diarization in order, and what passes between them; a loaded pipeline.

It must not know how any step is done.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.diarization.executor.clustering import Speakers, speakers
from adapters.diarization.executor.exported import Exported
from adapters.diarization.executor.networks import Active, Segmenter, Trunk
from adapters.diarization.executor.pooling import Head, statistics
from adapters.diarization.executor.sound import Read, reader, window_starts
from adapters.diarization.executor.timeline import Timeline, Turns
from adapters.diarization.executor.voices import Exact, Fast, Frames, Spoken, centred, spoken
from adapters.pcm import SAMPLES_PER_MS
from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import Diarization, SpeakerTurn

_BATCH = 16
"""Windows that are segmented at once: four times as fast as one by one on two cores, in 200 MB."""
_SEGMENTED = {False: 0.1, True: 0.4}
"""Share of the work before voices, by whether they are heard fast."""
_CLUSTERED = 0.02
_LEAST_VOICE = 400
"""Milliseconds; five frames of the trunk, under which their spread says nothing."""
_MOST_VOICE = 20_000
"""Milliseconds; of a longer span the middle tells as much."""


class Pipeline:
    """An exported pipeline with its networks in memory."""

    def __init__(self, folder: Path, exported: Exported, *, fast: bool, threads: int) -> None:
        self._folder = folder
        self._exported = exported
        self._fast = fast
        self._segmenter = Segmenter(folder, exported.segmentation, threads)
        self._trunk = Trunk(folder, exported.embedding, threads)
        self._head = Head(folder / exported.embedding.head)

    def diarized(self, audio: DecodedAudio, bounds: tuple[int, int], on_progress: ProgressSink) -> Diarization:
        """Tell the speakers of a recording apart; `bounds` are the fewest and the most."""
        total = audio.duration * SAMPLES_PER_MS
        read = reader(audio)
        heard = _SEGMENTED[self._fast]
        active = self.active(read, total, lambda done: on_progress(heard * done))
        timeline = Timeline(self._exported.segmentation, len(active))
        talking = np.minimum(timeline.talking(active), bounds[1]).astype(np.uint8)
        if not talking.any():
            return Diarization(turns=(), exclusive=())
        rest = 1 - heard - _CLUSTERED
        found = self.voices(read, total, active, lambda done: on_progress(heard + rest * done))
        told = speakers(found, self._exported.clustering, self._folder, bounds)
        holders = np.full((len(active), self._exported.segmentation.slots), -1, np.int8)
        holders[found.window, found.slot] = told.labels
        whole, single = timeline.turns(active, holders, talking)
        return answer(whole, single, told, audio.duration)

    def active(self, read: Read, total: int, on_progress: ProgressSink) -> Active:
        """Hear all windows of `total` samples; one byte a frame, 600 a second of recording."""
        network = self._exported.segmentation
        starts = window_starts(total, network.window, network.step)
        found = np.empty((len(starts), network.frames), np.uint8)
        for first in range(0, len(starts), _BATCH):
            batch = starts[first : first + _BATCH]
            sound = read(batch[0], batch[-1] - batch[0] + network.window)
            windows = np.lib.stride_tricks.sliding_window_view(sound, network.window)[:: network.step]
            found[first : first + len(batch)] = self._segmenter.active(np.ascontiguousarray(windows))
            on_progress(min(1.0, (first + len(batch)) / len(starts)))
        return found

    def voices(self, read: Read, total: int, active: Active, on_progress: ProgressSink) -> Spoken:
        """Make a voice for each speaker of each window."""
        network, given = self._exported.segmentation, self._exported.embedding
        starts = window_starts(total, network.window, network.step)
        frames: Frames = (
            Fast(read, starts, network, given, self._trunk, total=total)
            if self._fast
            else Exact(read, starts, network, given, self._trunk)
        )
        return spoken(active, frames, self._head, given, on_progress)

    def embedded(
        self, audio: DecodedAudio, spans: tuple[Span, ...], on_progress: ProgressSink
    ) -> tuple[tuple[float, ...] | None, ...]:
        """Make a voice of each span, None where it is too short."""
        voices: list[tuple[float, ...] | None] = []
        for number, span in enumerate(spans):
            inside = span.clamp(Span(0, audio.duration))
            long = inside.duration >= _LEAST_VOICE
            voices.append(tuple(self._voice(audio, inside).tolist()) if long else None)
            on_progress((number + 1) / len(spans))
        return tuple(voices)

    def _voice(self, audio: DecodedAudio, span: Span) -> NDArray[np.float32]:
        given = self._exported.embedding
        spare = max(0, span.duration - _MOST_VOICE) // 2
        first = (span.start + spare) * SAMPLES_PER_MS // given.shift
        last = (span.end - spare) * SAMPLES_PER_MS // given.shift
        total = max(1, 1 + (audio.duration * SAMPLES_PER_MS - given.length) // given.shift)
        first, last = min(first, total - 1), min(last, total)
        begin, end = max(0, first - given.reach), min(total, last + given.reach)
        frames = self._trunk.frames(centred(reader(audio), begin, end, total, given))
        own = frames[:, (first - begin) // given.stride : -(-(last - begin) // given.stride)]
        vectors: NDArray[np.float32] = self._head.vectors(statistics(own, np.ones((1, own.shape[1]), bool)))[0]
        return vectors


def answer(whole: Turns, single: Turns, told: Speakers, duration: int) -> Diarization:
    """Number the speakers by first appearance, in ms, within the recording."""
    names: dict[int, str] = {}
    for _, _, speaker in whole:
        names.setdefault(speaker, f"spk_{len(names) + 1}")
    centroids = [(names[number], tuple(row.tolist())) for number, row in enumerate(told.centroids) if number in names]
    return Diarization(
        turns=_turns(whole, names, duration),
        exclusive=_turns(single, names, duration),
        centroids=tuple(sorted(centroids)),
    )


def _turns(found: Turns, names: dict[int, str], duration: int) -> tuple[SpeakerTurn, ...]:
    """Give what is inside the recording: the last window is padded, and turns may end in the padding."""
    spans = (
        (Span(round(start * 1000), round(end * 1000)).clamp(Span(0, duration)), names[who]) for start, end, who in found
    )
    return tuple(sorted(SpeakerTurn(span, name) for span, name in spans if span.duration))
