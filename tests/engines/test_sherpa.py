"""sherpa-onnx against the contracts of diarizers and recognisers, in a child and without, and what it promises more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.asr.sherpa import SherpaOnnxEngine
from adapters.diarization.sherpa import SherpaOnnxDiarizer
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from adapters.media.av import AvDecoder
from application.ports.asr import RecognitionRequest, TranscriptionEngine
from application.ports.diarization import DiarizationEngine, DiarizationRequest
from domain.media import DecodedAudio, DecodeLimits
from domain.span import Span
from domain.speaker import SpeakerHints
from tests.contracts.diarization import DiarizationContract
from tests.contracts.transcription import ROOT, TranscriptionContract
from tests.e2e.spoken import read_stm
from tests.engines.sherpa_weights import build_ctc, build_diarization, build_tdt, build_transducer

pytestmark = pytest.mark.timeout(120)  # the first test waits for weights to be made

DATA = ROOT / "tests" / "data"
CALL = read_stm(DATA / "call.stm")
RECOGNISERS = {"ctc": build_ctc, "zipformer": build_transducer, "parakeet": build_tdt}
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


class TestHostedSherpaOnnxEngine(Heard):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, models: Path) -> Iterator[TranscriptionEngine]:
        hosted = HostedTranscriptionEngine(SherpaOnnxEngine(models_dir=models, model="ctc"), Hosting(preload=True))
        yield hosted
        hosted.close()
