"""sherpa-onnx against the contracts of diarizers and recognisers, in a child and without, and what it promises more."""

import shutil
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest

from adapters.asr.sherpa import SherpaOnnxEngine
from adapters.catalogue import CATALOGUE
from adapters.catalogue.shelf import Manifest
from adapters.diarization.sherpa import SherpaOnnxDiarizer
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from adapters.hub import Hub
from adapters.media.av import AvDecoder
from application.ports.asr import RecognitionRequest, TranscriptionEngine
from application.ports.diarization import DiarizationEngine, DiarizationRequest
from domain.errors import EngineFailed, EngineUnavailable
from domain.media import DecodedAudio, DecodeLimits
from domain.span import Span
from domain.speaker import SpeakerHints
from domain.transcript import Timing
from tests.adapters.test_diarization import agreement
from tests.contracts.diarization import DiarizationContract
from tests.contracts.transcription import ROOT, TranscriptionContract
from tests.conversations import conversation
from tests.e2e.service import Service
from tests.e2e.spoken import Line, read_stm
from tests.engines.sherpa_weights import (
    build_ctc,
    build_diarization,
    build_moonshine,
    build_nemo_ctc,
    build_tdt,
    build_transducer,
)
from tests.loopback_hub import loopback_hub, weights_of

pytestmark = pytest.mark.timeout(120)  # the first test waits for weights to be made

DATA = ROOT / "tests" / "data"
CALL = read_stm(DATA / "call.stm")
RECOGNISERS = {
    "ctc": build_ctc, "nemo": build_nemo_ctc, "zipformer": build_transducer, "parakeet": build_tdt,
    "moonshine": build_moonshine,
}  # fmt: skip
TIMED = ("ctc", "nemo", "zipformer", "parakeet")
SCORED = ("zipformer", "parakeet")
LIMITS = DecodeLimits(max_duration=10_000_000, max_memory=1 << 30, max_seconds=60.0)


def decoded(name: str, folder: Path) -> DecodedAudio:
    return AvDecoder().decode(DATA / name, folder, LIMITS, lambda _: None).mix


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    build_diarization(folder / "voices")
    for name, build in RECOGNISERS.items():
        (build(folder / name) / "languages.json").write_text('["en"]', encoding="utf-8")
    return folder


class Called(DiarizationContract):
    """A call between two people."""

    @pytest.fixture(scope="class")
    @classmethod
    def audio(cls, tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
        return decoded("call.flac", tmp_path_factory.mktemp("call"))

    @pytest.fixture
    def request_(self) -> DiarizationRequest:
        speech = tuple(Span(round(line.start * 1000), round(line.end * 1000)) for line in CALL)
        return DiarizationRequest(speech=speech, hints=SpeakerHints())


class TestSherpaOnnxDiarizer(Called, adapter=SherpaOnnxDiarizer):
    @pytest.fixture
    def engine(self, models: Path) -> DiarizationEngine:
        return SherpaOnnxDiarizer(models_dir=models, model="voices")


class TestHostedSherpaOnnxDiarizer(Called):
    @pytest.fixture
    def engine(self, models: Path) -> Iterator[DiarizationEngine]:
        hosted = HostedDiarizationEngine(SherpaOnnxDiarizer(models_dir=models, model="voices"), Hosting(preload=True))
        yield hosted
        hosted.close()

    def unloaded(self, engine: DiarizationEngine) -> DiarizationEngine:
        assert isinstance(engine, HostedDiarizationEngine)
        return engine._engine


class Heard(TranscriptionContract):
    """A little of a conversation; one region lies outside the window."""

    model = "ctc"

    @pytest.fixture(scope="class")
    @classmethod
    def audio(cls, tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
        return decoded("conversation.flac", tmp_path_factory.mktemp("conversation"))

    @pytest.fixture(scope="class")
    @classmethod
    def window(cls) -> Span:
        return Span(7_000, 21_000)

    @pytest.fixture(scope="class")
    @classmethod
    def asked(cls) -> RecognitionRequest:
        return RecognitionRequest(speech=(Span(4_000, 6_400), Span(14_300, 15_200), Span(19_500, 20_500)))

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, models: Path) -> TranscriptionEngine:
        return SherpaOnnxEngine(models_dir=models, model=cls.model)

    @pytest.fixture
    def unloaded(self, models: Path) -> TranscriptionEngine:
        return SherpaOnnxEngine(models_dir=models, model=self.model)


class TestSherpaOnnxEngine(Heard, adapter=SherpaOnnxEngine):
    """CTC: times, no confidences."""


class TestZipformer(Heard):
    """A stateless transducer: times and confidences."""

    model = "zipformer"


class TestParakeet(Heard):
    """A token-and-duration transducer: times, durations and confidences."""

    model = "parakeet"


class TestMoonshine(Heard):
    """An encoder and a decoder: text alone."""

    model = "moonshine"


class TestHostedSherpaOnnxEngine(Heard):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, models: Path) -> Iterator[TranscriptionEngine]:
        hosted = HostedTranscriptionEngine(SherpaOnnxEngine(models_dir=models, model="ctc"), Hosting(preload=True))
        yield hosted
        hosted.close()


# Diarization, beyond the contract


def diarizer(models: Path, **changes: object) -> SherpaOnnxDiarizer:
    return SherpaOnnxDiarizer(**{"models_dir": models, "model": "voices", **changes})  # type: ignore[arg-type]


def test_blocks_of_a_long_recording_agree_on_who_is_who(models: Path, tmp_path: Path) -> None:
    told = conversation(tmp_path / "audio", seconds=150, speakers=3, seed=5)
    request = DiarizationRequest(speech=told.speech, hints=SpeakerHints())
    lines = [Line(turn.span.start / 1000, turn.span.end / 1000, turn.speaker, "") for turn in told.turns]
    whole = diarizer(models).diarize(told.audio, request, lambda _: None)
    blocked = diarizer(models, block=40_000).diarize(told.audio, request, lambda _: None)
    assert len(whole.speakers) == len(blocked.speakers) == 3
    assert agreement(whole.exclusive, lines) >= 0.9
    assert agreement(blocked.exclusive, lines) >= 0.9


def test_counts_hold_over_blocks_too(models: Path, tmp_path: Path) -> None:
    told = conversation(tmp_path / "audio", seconds=45, speakers=3, seed=5)
    for hints, least, most in (
        (SpeakerHints(exact=3), 3, 3),
        (SpeakerHints(exact=2), 2, 2),
        (SpeakerHints(exact=5), 5, 5),
        (SpeakerHints(at_most=2), 1, 2),
        (SpeakerHints(at_least=4), 4, 20),
    ):
        request = DiarizationRequest(speech=told.speech, hints=hints)
        found = diarizer(models, block=15_000).diarize(told.audio, request, lambda _: None)
        assert least <= len(found.speakers) <= most, hints


def test_a_voice_is_nearest_to_its_speakers_centroid(models: Path, tmp_path: Path) -> None:
    told = conversation(tmp_path / "audio", seconds=60, speakers=3, seed=7)
    engine = diarizer(models)
    request = DiarizationRequest(speech=told.speech, hints=SpeakerHints(exact=3))
    found = engine.diarize(told.audio, request, lambda _: None)
    labels, centroids = zip(*found.centroids, strict=True)
    voices = engine.embed(told.audio, (*told.speech, Span(0, 200)), lambda _: None)
    assert voices[-1] is None, "a fifth of a second is too little"
    nearest = [labels[int((np.array(centroids) @ np.array(voice)).argmax())] for voice in voices[:-1]]
    names = dict(zip(nearest, (turn.speaker for turn in told.turns), strict=True))
    assert len(names) == 3
    agreed = [names[label] == turn.speaker for label, turn in zip(nearest, told.turns, strict=True)]
    assert sum(agreed) >= 0.9 * len(agreed)


def test_memory_does_not_grow_with_the_recording(models: Path, tmp_path: Path) -> None:
    """Two blocks, then eight of half a minute each: what is kept of each is turns and voices."""
    import resource  # noqa: PLC0415 - of this test alone

    told = conversation(tmp_path / "once", seconds=60, speakers=2, seed=1)
    engine = diarizer(models, block=30_000)
    peaks = []
    for rounds in (1, 4):
        (tmp_path / "long").write_bytes((tmp_path / "once").read_bytes() * rounds)
        length = told.audio.duration
        audio = DecodedAudio(path=tmp_path / "long", duration=length * rounds)
        speech = tuple(span.shift(length * turn) for turn in range(rounds) for span in told.speech)
        found = engine.diarize(audio, DiarizationRequest(speech=speech, hints=SpeakerHints()), lambda _: None)
        assert len(found.speakers) == 2
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    assert peaks[1] - peaks[0] <= 40, "MB"


# Weights by name


def test_named_weights_are_fetched_checked_and_used_by_both(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = decoded("conversation.flac", tmp_path)
    known = {
        "sherpa-wespeaker": weights_of(models / "voices", "sherpa-wespeaker", repository="a/voices"),
        "parakeet-v2": weights_of(models / "parakeet", "parakeet-v2", repository="a/parakeet"),
    }
    monkeypatch.setattr("adapters.diarization.sherpa.CATALOGUE", {**CATALOGUE, **known})
    monkeypatch.setattr("adapters.asr.sherpa.CATALOGUE", {**CATALOGUE, **known})
    with loopback_hub() as hub:
        hub.publish("a/voices", models / "voices")
        hub.publish("a/parakeet", models / "parakeet")
        place = {"models_dir": tmp_path / "models", "allow_download": True, "hub": Hub(hub.url)}
        told: list[float] = []
        request = DiarizationRequest(speech=(Span(700, 6_400),), hints=SpeakerHints())
        assert SherpaOnnxDiarizer(**place).diarize(audio, request, told.append).turns  # type: ignore[arg-type]
        asked = RecognitionRequest(speech=(Span(700, 6_400),))
        engine = SherpaOnnxEngine(model="parakeet-v2", **place)  # type: ignore[arg-type]
        assert engine.transcribe(audio, Span(0, 20_000), asked, told.append).language == "en"
        requests = len(hub.asked)
    assert requests > 0
    assert told[-1] == 1.0
    assert Manifest.read(tmp_path / "models" / "sherpa-wespeaker")
    # The hub is gone now, and nobody asks for it.
    again = SherpaOnnxEngine(model="parakeet-v2", **place)  # type: ignore[arg-type]
    assert again.transcribe(audio, Span(0, 20_000), asked, lambda _: None).segments


# What is missing or broken says so, and never ends the process


def test_without_weights_the_engines_are_unavailable(tmp_path: Path) -> None:
    audio = DecodedAudio(path=DATA / "call.stm", duration=1_000)
    asked = RecognitionRequest(speech=(Span(0, 1_000),))
    with pytest.raises(EngineUnavailable, match="models folder"):
        SherpaOnnxEngine(models_dir=tmp_path).transcribe(audio, Span(0, 1_000), asked, lambda _: None)
    request = DiarizationRequest(speech=(Span(0, 1_000),), hints=SpeakerHints())
    with pytest.raises(EngineUnavailable, match="models folder"):
        SherpaOnnxDiarizer(models_dir=tmp_path).diarize(audio, request, lambda _: None)


def test_without_the_extra_they_say_how_to_get_it(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)
    for engine in (SherpaOnnxEngine(models_dir=models, model="ctc"), diarizer(models)):
        with pytest.raises(EngineUnavailable, match="pip install sherpa-onnx"):
            engine.load()


def _without_facts(path: Path) -> None:
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _not_onnx(path: Path) -> None:
    path.write_bytes(b"\x7fELF" * 100)


@pytest.mark.parametrize("spoil", [_without_facts, _cut_short, _not_onnx])
@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("voices", "segmentation.onnx"),
        ("voices", "embedding.onnx"),
        ("ctc", "model.onnx"),
        ("zipformer", "decoder-epoch-1-avg-1.onnx"),
        ("parakeet", "encoder.int8.onnx"),
        ("parakeet", "tokens.txt"),
    ],
)
def test_broken_weights_are_refused_before_the_library_ends_the_process(
    models: Path, tmp_path: Path, model: str, name: str, spoil: object
) -> None:
    folder = shutil.copytree(models / model, tmp_path / model)
    if name == "tokens.txt":
        (folder / name).write_text("only 0\n", encoding="utf-8")
    else:
        spoil(folder / name)  # type: ignore[operator]
    engine = diarizer(tmp_path) if model == "voices" else SherpaOnnxEngine(models_dir=tmp_path, model=model)
    with pytest.raises(EngineUnavailable):
        engine.load()


def test_what_fails_inside_the_library_is_the_engines_failure(models: Path, tmp_path: Path) -> None:
    audio = decoded("call.flac", tmp_path)
    engine = diarizer(models)
    engine.load()
    assert engine._networks is not None

    def fail(*_: object) -> None:
        raise RuntimeError("Failed to allocate memory for requested buffer of size 8")

    engine._networks.turns = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(EngineFailed) as failed:
        engine.diarize(audio, DiarizationRequest(speech=(Span(0, 9_000),), hints=SpeakerHints()), lambda _: None)
    assert failed.value.reason == "out_of_memory"


# Recognition, beyond the contract


@pytest.mark.parametrize("model", TIMED)
def test_words_have_times_of_their_own(models: Path, tmp_path: Path, model: str) -> None:
    audio = decoded("conversation.flac", tmp_path)
    asked = RecognitionRequest(speech=(Span(700, 3_400), Span(7_000, 9_500)))
    heard = SherpaOnnxEngine(models_dir=models, model=model).transcribe(audio, Span(0, 20_000), asked, lambda _: None)
    words = [word for segment in heard.segments for word in segment.words]
    assert len(heard.segments) == 2
    assert all(word.timing is Timing.ALIGNED for word in words)
    assert all(first.span.start < second.span.start for first, second in pairwise(words))
    assert len({word.span.duration for word in words}) > 3
    assert all((word.confidence is not None) is (model in SCORED) for word in words)
    for segment in heard.segments:
        assert (segment.quality is not None) is (model in SCORED)
        assert segment.quality is None or -5 < (segment.quality.average_log_probability or 0) <= 0


def test_words_of_a_model_without_times_are_spread_over_short_pieces(models: Path, tmp_path: Path) -> None:
    audio = decoded("conversation.flac", tmp_path)
    asked = RecognitionRequest(speech=(Span(700, 12_200),))
    engine = SherpaOnnxEngine(models_dir=models, model="moonshine")
    heard = engine.transcribe(audio, Span(0, 20_000), asked, lambda _: None)
    words = [word for segment in heard.segments for word in segment.words]
    assert words
    assert all(word.timing is Timing.INTERPOLATED and word.confidence is None for word in words)
    assert all(segment.span.duration <= 8_000 for segment in heard.segments)


def test_a_model_of_several_languages_says_that_it_does_not_know_which(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "ctc", tmp_path / "several")
    (tmp_path / "several" / "languages.json").write_text('["de", "en"]', encoding="utf-8")
    audio, engine = decoded("conversation.flac", tmp_path), SherpaOnnxEngine(models_dir=tmp_path, model="several")
    for language, told in (("auto", "und"), ("de", "de"), ("en-GB", "en")):
        asked = RecognitionRequest(speech=(Span(700, 3_400),), language=language)
        heard = engine.transcribe(audio, Span(0, 20_000), asked, lambda _: None)
        assert heard.language == told
        assert {segment.language for segment in heard.segments} == {None if told == "und" else told}


# The running service


@pytest.mark.parametrize(
    ("settings", "recogniser", "speakers"),
    [
        ({"ASR_ENGINE": "faster_whisper", "DIARIZATION_ENGINE": "acoustic"}, "faster_whisper", "acoustic"),
        ({"ASR_ENGINE": "sherpa_onnx", "DIARIZATION_ENGINE": "sherpa_onnx"}, "sherpa_onnx", "sherpa_onnx"),
        ({"ASR_ENGINE": "sherpa_onnx"}, "sherpa_onnx", "sherpa_onnx"),
    ],
)
def test_environment_variables_alone_change_both_engines(
    models: Path, tmp_path: Path, settings: dict[str, str], recogniser: str, speakers: str
) -> None:
    names = {
        "MODELS_DIR": str(models), "ASR_MODEL": str(DATA / "small-whisper"), "ASR_SHERPA_MODEL": "zipformer",
        "DIARIZATION_SHERPA_MODEL": "voices",
    }  # fmt: skip
    with Service(tmp_path / "data", **names, **settings) as service:
        task = service.submit(DATA / "call.flac")
        assert service.wait(task, patience=100)["status"] == "done", service.log[-2000:]
        result = service.result(task).json()
    stages = {stage["name"]: stage for stage in result["stages"]}
    assert stages["recognition"]["engine"] == recogniser
    assert stages["diarization"]["engine"] == speakers
    words = [word for segment in result["segments"] for word in segment["words"]]
    assert len(words) > 20
    if speakers == "sherpa_onnx":
        assert stages["second_look"]["status"] == "ran"
        assert len(result["speakers"]) == 2
        named = [
            (word["speaker"], line.speaker)
            for word in words
            for line in CALL
            if line.start <= (word["start"] + word["end"]) / 2 <= line.end
        ]
        assert len(set(named)) == 2, "each label is one party"
