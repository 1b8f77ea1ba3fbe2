"""Decoded frames to 16 kHz 16-bit samples on disk, aligned with the recording's own clock.

It must not hold more than a second of audio, whatever it is given.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NeedsMoreInput
from av.error import EOFError as Drained
from av.filter import Graph
from numpy.typing import NDArray

from adapters.media.relation import RelationMeter, mixed
from domain.media import SAMPLE_RATE, ChannelRelation

_BYTES = 2
_STEREO = 2
_TOLERANCE = 0.1
"""Seconds that timestamps and samples may differ: more than rounding and codec delay make, less than anyone sees."""

_RATES = range(1_000, 1_000_000)
"""Hz. A header that says 1 Hz would make 16,000 samples of each that there is."""

_MAX_CHANNELS = 64
"""As many as FFmpeg's filters take."""


class TooLong(Exception):
    """The audio goes on beyond the limit."""


class NotSound(Exception):
    """The sample rate or the number of channels cannot be a recording's."""


class Recorder:
    """Writes the mix, and each channel of a stereo recording where files for them are given.

    `stereo` recordings are measured as they pass: `relation` tells how the channels relate. Where timestamps leave a
    hole, as in recordings of calls that send nothing while nobody speaks, silence of that length is written: the words
    after it keep their times. Holes longer than `longest_hole` seconds are taken for broken timestamps.
    """

    def __init__(
        self, mix: BinaryIO, channels: Sequence[BinaryIO], *, stereo: bool, max_samples: int, longest_hole: int
    ) -> None:
        self._mix = mix
        self._channels = channels
        self._meter = RelationMeter() if stereo else None
        self._max_samples = max_samples
        self._longest_hole = longest_hole
        self._samples = 0
        self._clock = 0.0
        self._offset: float | None = None
        self._shape: tuple[object, ...] = ()
        self._graph: Graph | None = None

    @property
    def samples(self) -> int:
        """How many samples of each file were written."""
        return self._samples

    @property
    def relation(self) -> ChannelRelation:
        """How the channels heard so far relate."""
        return self._meter.relation if self._meter else ChannelRelation.SINGLE

    def start_at(self, seconds: float) -> None:
        """Say which timestamp is the recording's beginning; without it, the first frame's is."""
        self._offset = seconds

    def add(self, frame: AudioFrame) -> None:
        """Take the next decoded frame.

        Raises:
            TooLong: there is more than the limit; what was written stays within it.
            NotSound: the frame's format is beyond belief.
            OSError: from the files.
        """
        channels = frame.layout.nb_channels
        if frame.sample_rate not in _RATES or not 0 < channels <= _MAX_CHANNELS:
            message = f"{channels} channels at {frame.sample_rate} Hz are no recording"
            raise NotSound(message)
        self._align(frame)
        shape = (frame.format.name, frame.layout.name, frame.sample_rate, frame.time_base)
        if self._graph is None or shape != self._shape:
            self.finish()
            self._shape, self._graph = shape, self._resampler(frame)
        self._graph.push(frame)
        self._clock += frame.samples / frame.sample_rate
        self._drain()

    def finish(self) -> None:
        """Write what is still under way."""
        if self._graph is not None:
            self._graph.push(None)
            self._drain()
            self._graph = None

    def _align(self, frame: AudioFrame) -> None:
        time = frame.time
        if time is None:
            return
        if self._offset is None:
            self._offset = time - self._clock
        hole = time - self._offset - self._clock
        if _TOLERANCE < hole <= self._longest_hole:
            self.finish()
            self._write_silence(round(hole * SAMPLE_RATE))
            self._clock += hole
        elif abs(hole) > _TOLERANCE:
            self._offset = time - self._clock

    def _resampler(self, frame: AudioFrame) -> Graph:
        layout = frame.layout
        graph = Graph()
        graph.threads = 1  # a second thread may not be started where this runs
        chain = [
            graph.add(
                "abuffer",
                sample_rate=str(frame.sample_rate),
                sample_fmt=frame.format.name,
                channel_layout=layout.name,
                time_base=str(frame.time_base or f"1/{frame.sample_rate}"),
            )
        ]
        if layout.nb_channels > _STEREO and layout.name == f"{layout.nb_channels} channels":
            # Nobody said which channel is which. FFmpeg would guess, and leave out what it takes for the subwoofer.
            names = "+".join(f"c{channel}" for channel in range(layout.nb_channels))
            chain.append(graph.add("pan", f"mono|c0<{names}"))
        chain.append(graph.add("aresample", str(SAMPLE_RATE)))
        wanted = "stereo" if self._meter else "mono"
        chain.append(graph.add("aformat", sample_fmts="s16", sample_rates=str(SAMPLE_RATE), channel_layouts=wanted))
        graph.link_nodes(*chain, graph.add("abuffersink")).configure()
        graph.set_audio_frame_size(SAMPLE_RATE)
        return graph

    def _drain(self) -> None:
        for block in _pulled(self._graph):
            room = self._max_samples - self._samples
            width = _STEREO if self._meter else 1
            samples = np.frombuffer(bytes(block.planes[0]), dtype="<i2", count=block.samples * width)
            self._write(samples[: room * width])
            if block.samples > room:
                raise TooLong

    def _write(self, samples: NDArray[np.int16]) -> None:
        if self._meter:
            block = samples.reshape(-1, _STEREO).astype(np.float64)
            self._meter.add(block)
            for number, file in enumerate(self._channels):
                file.write(samples[number::_STEREO].tobytes())
            samples = mixed(block).round().astype("<i2")
        self._mix.write(samples.tobytes())
        self._samples += len(samples)

    def _write_silence(self, count: int) -> None:
        fitting = min(count, self._max_samples - self._samples)
        for start in range(0, fitting, SAMPLE_RATE):
            silence = bytes(min(SAMPLE_RATE, fitting - start) * _BYTES)
            for file in (self._mix, *self._channels):
                file.write(silence)
        self._samples += fitting
        if fitting < count:
            raise TooLong


def _pulled(graph: Graph | None) -> Iterator[AudioFrame]:
    while graph is not None:
        try:
            frame = graph.pull()
        except (NeedsMoreInput, Drained):
            return
        if isinstance(frame, AudioFrame):
            yield frame
