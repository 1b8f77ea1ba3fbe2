"""Nothing is heard where nobody speaks: silence, noise and music through the detector and each recogniser."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.asr.faster_whisper import FasterWhisperEngine
from adapters.asr.pocketsphinx import PocketSphinxEngine
from adapters.voice_activity.silero import SileroVad
from application.ports.asr import RecognitionRequest, TranscriptionEngine
from domain.media import DecodedAudio
from domain.span import Span
from domain.transcript import Recognition
from tests.adapters.test_asr import WEIGHTS
from tests.bench.bench_asr import decoded
from tests.contracts.transcription import unheard
from tests.recordings import CONVERSATION
from tests.unspoken import unspoken

SOUNDS = unspoken()
DETECTOR = SileroVad()
FOUND: dict[str, tuple[Span, ...]] = {}
"""What the detector takes for speech in each sound: the same for all engines."""
BURSTS = tuple(Span(start, start + 660) for start in range(500, 7_000, 1_000))
"""As long as what a detector takes for a syllable, with its padding."""


@pytest.fixture(scope="module", params=["faster_whisper", "pocketsphinx"])
def engine(request: pytest.FixtureRequest) -> TranscriptionEngine:
    if request.param == "pocketsphinx":
        return PocketSphinxEngine()
    return FasterWhisperEngine(models_dir=WEIGHTS.parent, model=str(WEIGHTS), device="cpu", threads=1)


def heard(engine: TranscriptionEngine, audio: DecodedAudio, speech: tuple[Span, ...]) -> Recognition:
    return engine.transcribe(audio, Span(0, audio.duration), RecognitionRequest(speech=speech), unheard)


def recording(name: str, folder: Path) -> DecodedAudio:
    samples = SOUNDS[name]
    (folder / "audio").write_bytes(samples.astype("<i2").tobytes())
    return DecodedAudio(path=folder / "audio", duration=len(samples) // 16)


@pytest.mark.parametrize("name", SOUNDS)
def test_nothing_is_heard(name: str, engine: TranscriptionEngine, tmp_path: Path) -> None:
    audio = recording(name, tmp_path)
    if name not in FOUND:
        FOUND[name] = DETECTOR.speech(audio, unheard)
    assert heard(engine, audio, FOUND[name]).segments == ()


@pytest.mark.parametrize("name", ["white noise at -6 dB", "pink noise at -20 dB", "brown noise at -40 dB"])
def test_a_burst_of_noise_that_the_detector_took_for_speech_is_no_sentence(
    name: str, engine: TranscriptionEngine, tmp_path: Path
) -> None:
    audio = recording(name, tmp_path)
    assert [heard(engine, audio, (burst,)).segments for burst in BURSTS] == [()] * len(BURSTS)


def test_the_same_way_hears_speech(engine: TranscriptionEngine, tmp_path: Path) -> None:
    audio = decoded(CONVERSATION, tmp_path)
    first = DETECTOR.speech(replace(audio, duration=5_000), unheard)
    assert heard(engine, audio, first).segments
