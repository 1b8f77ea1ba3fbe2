"""The Silero detector against its contract and against faster-whisper's, and the rules that make regions of frames."""

import contextlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.vad import get_speech_timestamps
from hypothesis import given
from hypothesis import strategies as st

from adapters.voice_activity.regions import Hysteresis
from adapters.voice_activity.silero import SileroVad
from application.ports.system import ProgressSink
from application.ports.voice_activity import VoiceActivityDetector
from domain.errors import ColloquyError
from domain.media import DecodedAudio
from domain.span import Span
from tests.contracts.media_decoder import LIMITS
from tests.contracts.proof import failures
from tests.contracts.voice_activity import CONVERSATION, VoiceActivityContract, found, stored
from tests.media_files import RATE, Samples, talk

FRAME = 32
"""ms in one frame of the network: 512 samples."""

SETTINGS = [(0.25, 600, 100, 250), (0.35, 2000, 0, 400), (0.35, 160, 0, 400), (0.35, 100, 250, 30)]
"""Ours, and those of faster-whisper, of its batched pipeline, and of Silero's authors."""


class TestSileroVad(VoiceActivityContract, adapter=SileroVad):
    @pytest.fixture
    def detector(self) -> VoiceActivityDetector:
        return SileroVad()


def peer(samples: Samples, offset: float, min_silence: int, min_speech: int, padding: int) -> list[tuple[float, float]]:
    regions = get_speech_timestamps(
        samples.astype(np.float32) / 32_768,
        threshold=0.5,
        neg_threshold=offset,
        min_silence_duration_ms=min_silence,
        min_speech_duration_ms=min_speech,
        speech_pad_ms=padding,
    )
    return [(region["start"] * 1000 / RATE, region["end"] * 1000 / RATE) for region in regions]


def assert_like_peer(samples: Samples, folder: Path) -> int:
    """Compare the regions under all settings; return how many there were."""
    audio, total = stored(samples, folder), 0
    for offset, min_silence, min_speech, padding in SETTINGS:
        detector = SileroVad(offset=offset, min_silence=min_silence, min_speech=min_speech, padding=padding)
        ours, theirs = found(detector, audio), peer(samples, offset, min_silence, min_speech, padding)
        assert len(ours) == len(theirs)
        for region, (start, end) in zip(ours, theirs, strict=True):
            assert abs(region.start - start) <= FRAME
            assert abs(region.end - end) <= FRAME
        total += len(ours)
    return total


@pytest.mark.parametrize("seconds", [40, 8.192, 8.193, 16.4])
def test_regions_are_those_of_faster_whisper(seconds: float, tmp_path: Path) -> None:
    """Also where a recording ends with a block, or a few samples after it."""
    voices = talk(seconds, seed=6).samples // 2 + np.roll(talk(seconds, seed=7, pitch=200).samples // 3, 7 * RATE)
    noisy = voices + np.random.default_rng(8).normal(0, 150, len(voices))
    assert assert_like_peer(noisy.astype(np.int16), tmp_path) > 0


@pytest.mark.slow
@pytest.mark.speech
@pytest.mark.timeout(120)
def test_regions_are_those_of_faster_whisper_on_real_speech(speech: Path, tmp_path: Path) -> None:
    from adapters.media.av import AvDecoder  # noqa: PLC0415 - only where there is speech to decode

    regions = 0
    for recording in sorted(path for path in speech.iterdir() if path.suffix in {".flac", ".wav"}):
        media = AvDecoder().decode(recording, tmp_path, LIMITS, lambda _: None)
        regions += assert_like_peer(np.frombuffer(Path(media.mix.path).read_bytes(), dtype="<i2"), tmp_path)
    assert regions > 100


def test_it_travels_to_another_process_and_needs_no_vendor_until_it_works(tmp_path: Path) -> None:
    audio = stored(CONVERSATION.samples, tmp_path)
    detector = pickle.loads(pickle.dumps(SileroVad()))  # noqa: S301 - made on this line
    assert found(detector, audio) == found(SileroVad(), audio)
    code = (
        "import sys; from adapters.voice_activity.silero import SileroVad; SileroVad();"
        "print([name for name in ('numpy', 'onnxruntime', 'faster_whisper', 'ctranslate2') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_the_package_that_carries_the_weights_is_not_loaded(tmp_path: Path) -> None:
    audio = stored(CONVERSATION.samples[:RATE], tmp_path)
    code = (
        "import sys; from pathlib import Path; from domain.media import DecodedAudio;"
        "from adapters.voice_activity.silero import SileroVad;"
        f"SileroVad().speech(DecodedAudio(path=Path({str(audio.path)!r}), duration=1000), lambda _: None);"
        "print([name for name in ('faster_whisper', 'ctranslate2', 'av') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


# Frames to regions


def regions(probabilities: list[float], **changed: int) -> list[tuple[int, int]]:
    rules = {"min_silence": 30, "min_speech": 0, "padding": 0, **changed}
    hysteresis = Hysteresis(onset=0.5, offset=0.3, **rules)
    return [(span.start, span.end) for span in hysteresis.regions(probabilities, 10, len(probabilities) * 10)]


def test_a_region_starts_at_the_onset_and_ends_where_the_silence_began() -> None:
    assert regions([0.4, 0.5, 0.4, 0.3, 0.29, 0.1, 0.1, 0.1, 0.1]) == [(10, 40)]
    assert regions([0.4, 0.4, 0.4]) == []


def test_a_shorter_silence_does_not_end_it() -> None:
    assert regions([0.9, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1]) == [(0, 50)]
    assert regions([0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1]) == [(0, 10), (50, 60)]


def test_what_is_neither_speech_nor_silence_does_not_stop_the_clock_of_silence() -> None:
    assert regions([0.9, 0.1, 0.4, 0.4, 0.1, 0.1, 0.9]) == [(0, 10), (60, 70)]


def test_speech_that_reaches_the_end_ends_there() -> None:
    assert regions([0.1, 0.9, 0.9]) == [(10, 30)]
    assert regions([0.1, 0.9, 0.1, 0.1]) == [(10, 40)]


def test_clicks_are_dropped() -> None:
    click = [0.9, 0.1, 0.1, 0.1, 0.1]
    assert regions([*click, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1], min_speech=10) == [(50, 70)]


def test_padding_keeps_to_the_recording_and_meets_in_the_middle() -> None:
    quiet = [0.1] * 4
    assert regions([0.9, *quiet, 0.9, *quiet], padding=10) == [(0, 20), (40, 70)]
    assert regions([0.9, *quiet, 0.9, *quiet], padding=30) == [(0, 30), (30, 90)]


@given(st.lists(st.floats(0, 1), max_size=120), st.integers(0, 100), st.integers(0, 60), st.integers(0, 120))
def test_regions_are_sorted_and_inside_whatever_the_frames(
    probabilities: list[float], min_silence: int, min_speech: int, padding: int
) -> None:
    found_regions = regions(probabilities, min_silence=min_silence, min_speech=min_speech, padding=padding)
    edges = [edge for region in found_regions for edge in region]
    assert edges == sorted(edges)
    assert all(start < end for start, end in found_regions)
    assert not edges or (edges[0] >= 0 and edges[-1] <= len(probabilities) * 10)
    speech = {number for number, probability in enumerate(probabilities) if probability >= 0.5}
    if min_speech == 0:
        assert all(any(start <= number * 10 < end for start, end in found_regions) for number in speech)


# The suite itself, against detectors that are wrong in one thing each


class Wrong(VoiceActivityDetector):
    """Detects rightly; the classes below spoil one thing."""

    detector = SileroVad()

    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        return self.detector.speech(audio, on_progress)


class HearsNothing(Wrong):
    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        super().speech(audio, on_progress)
        return ()


class HearsAlways(Wrong):
    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        super().speech(audio, on_progress)
        return (Span(0, audio.duration),)


class RunsOver(Wrong):
    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        return tuple(Span(span.start, span.end + 40) for span in super().speech(audio, on_progress))


class Unsorted(Wrong):
    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        return super().speech(audio, on_progress)[::-1]


class Remembers(Wrong):
    def __init__(self) -> None:
        self.calls = 0

    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        self.calls += 1
        late = 32 if self.calls > 2 else 0
        return tuple(Span(span.start + late, span.end) for span in super().speech(audio, on_progress))


class CannotBeStopped(Wrong):
    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        def shielded(fraction: float) -> None:
            with contextlib.suppress(ColloquyError):
                on_progress(fraction)

        return super().speech(audio, shielded)


class SaysNothing(Wrong):
    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        on_progress(0.5)
        return super().speech(audio, lambda _: None)


class ChokesOnShortOnes(Wrong):
    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        if audio.duration < FRAME:
            raise ValueError
        return super().speech(audio, on_progress)


@pytest.mark.parametrize(
    ("broken", "caught"),
    [
        (HearsNothing, "test_it_finds_what_was_said_and_no_more"),
        (HearsAlways, "test_silence_and_noise_are_no_speech"),
        (RunsOver, "test_speech_may_fill_a_recording_to_both_edges"),
        (Unsorted, "test_regions_are_sorted_disjoint_not_empty_and_inside"),
        (Remembers, "test_nothing_is_left_from_earlier_calls"),
        (CannotBeStopped, "test_the_sink_can_stop_it"),
        (SaysNothing, "test_progress_rises_to_the_end"),
        (ChokesOnShortOnes, "test_the_shortest_recordings_are_no_trouble"),
    ],
)
async def test_the_contract_fails_on_a_broken_detector(
    broken: Callable[[], VoiceActivityDetector], caught: str, tmp_path: Path
) -> None:
    fixtures: dict[str, Callable[[], object]] = {"detector": broken, "tmp_path": lambda: tmp_path}
    assert await failures(VoiceActivityContract, caught, **fixtures) == {caught}
