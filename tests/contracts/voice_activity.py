"""What every voice activity detector promises. Bindings give `detector`; the speech is made by `tests.media_files`."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from application.ports.voice_activity import VoiceActivityDetector
from domain.errors import ColloquyError
from domain.media import DecodedAudio
from domain.span import Span, covered, restricted
from tests.contracts.suite import Suite
from tests.media_files import RATE, Samples, Talk, talk

CONVERSATION = talk(25, seed=4)
NOISE = np.random.default_rng(5).normal(0, 300, 10 * RATE).astype(np.int16)
TAIL = 400
"""ms that a region may exceed the phrase on each side: padding, and the time a detector takes to notice."""


def stored(samples: Samples, folder: Path, name: str = "audio.pcm") -> DecodedAudio:
    path = folder / name
    path.write_bytes(samples.astype("<i2").tobytes())
    return DecodedAudio(path=path, duration=len(samples) * 1000 // RATE)


def phrases(spoken: Talk) -> tuple[Span, ...]:
    return tuple(Span(round(start * 1000), round(end * 1000)) for start, end in spoken.phrases)


def found(detector: VoiceActivityDetector, audio: DecodedAudio) -> tuple[Span, ...]:
    return detector.speech(audio, lambda _: None)


class VoiceActivityContract(Suite):
    """Recordings to regions of speech."""

    def test_it_finds_what_was_said_and_no_more(self, detector: VoiceActivityDetector, tmp_path: Path) -> None:
        regions = found(detector, stored(CONVERSATION.samples, tmp_path))
        said = phrases(CONVERSATION)
        heard = sum(covered(restricted(regions, phrase)) for phrase in said)
        assert heard >= 0.95 * covered(said)
        assert covered(regions) <= covered(said) + 2 * TAIL * len(said)

    def test_regions_are_sorted_disjoint_not_empty_and_inside(
        self, detector: VoiceActivityDetector, tmp_path: Path
    ) -> None:
        for length in (25.0, 7.77, 1.001):
            audio = stored(CONVERSATION.samples[: int(length * RATE)], tmp_path)
            regions = found(detector, audio)
            assert all(region.duration > 0 for region in regions)
            assert all(before.end < after.start for before, after in pairwise(regions))
            assert all(0 <= region.start < region.end <= audio.duration for region in regions)

    def test_silence_and_noise_are_no_speech(self, detector: VoiceActivityDetector, tmp_path: Path) -> None:
        assert found(detector, stored(np.zeros_like(NOISE), tmp_path)) == ()
        assert found(detector, stored(NOISE, tmp_path)) == ()

    def test_the_shortest_recordings_are_no_trouble(self, detector: VoiceActivityDetector, tmp_path: Path) -> None:
        for length in (0, 16, 160, 511, 512, 513):
            assert found(detector, stored(CONVERSATION.samples[:length], tmp_path)) == ()

    def test_speech_may_fill_a_recording_to_both_edges(self, detector: VoiceActivityDetector, tmp_path: Path) -> None:
        start, end = (round(second * RATE) for second in CONVERSATION.phrases[1])
        audio = stored(CONVERSATION.samples[start:end], tmp_path)
        (region,) = found(detector, audio)
        assert region.start <= 200
        assert region.end == audio.duration

    def test_nothing_is_left_from_earlier_calls(self, detector: VoiceActivityDetector, tmp_path: Path) -> None:
        audio = stored(CONVERSATION.samples, tmp_path)
        first = found(detector, audio)
        found(detector, stored(NOISE, tmp_path, "noise.pcm"))
        found(detector, stored(CONVERSATION.samples[: 3 * RATE], tmp_path, "other.pcm"))
        assert found(detector, audio) == first

    def test_progress_rises_to_the_end(self, detector: VoiceActivityDetector, tmp_path: Path) -> None:
        seen: list[float] = []
        detector.speech(stored(CONVERSATION.samples, tmp_path), seen.append)
        assert seen == sorted(seen)
        assert 0 <= seen[0] <= seen[-1] == 1

    def test_the_sink_can_stop_it(self, detector: VoiceActivityDetector, tmp_path: Path) -> None:
        class Stopped(ColloquyError):
            """The sink's own error."""

        def stop(_: float) -> None:
            raise Stopped("enough")

        with pytest.raises(Stopped):
            detector.speech(stored(CONVERSATION.samples, tmp_path), stop)
