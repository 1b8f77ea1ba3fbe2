"""pyannote against the contract of diarizers, in a child and without, and what it promises beyond that."""

import pickle
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pyannote.audio import Pipeline
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

from adapters.catalogue import CATALOGUE
from adapters.diarization.pyannote import PyannoteDiarizer
from adapters.diarization.pyannote_options import PyannoteOptions
from adapters.hosting.hosted import HostedDiarizationEngine
from adapters.hosting.policy import Hosting
from adapters.hub import Hub
from adapters.media.av import AvDecoder
from adapters.pcm import samples
from application.ports.diarization import DiarizationEngine, DiarizationRequest
from domain.errors import EngineUnavailable
from domain.media import DecodedAudio, DecodeLimits
from domain.span import Span, covered, to_ms
from domain.speaker import SpeakerHints, SpeakerTurn
from tests.contracts.diarization import DiarizationContract, DiarizerTraits
from tests.conversations import Conversation, conversation
from tests.e2e.spoken import read_stm
from tests.engines.pipelines import build_pipeline
from tests.loopback_hub import loopback_hub, weights_of

pytestmark = pytest.mark.timeout(180)  # importing torch takes seconds on a busy machine, and each child does

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
LIMITS = DecodeLimits(max_duration=10_000_000, max_memory=1 << 30, max_seconds=60.0)
UNKNOWN = SpeakerHints()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both layouts: with few mel bands and a long step, so that a call takes a second, and finer ones."""
    folder = tmp_path_factory.mktemp("models")
    build_pipeline(folder / "ours", "community-1", mel_bins=8, step=0.5)
    build_pipeline(folder / "older", "speaker-diarization-3.1", mel_bins=8, step=0.5)
    build_pipeline(folder / "ours-finer", "community-1", mel_bins=16, step=0.25)
    build_pipeline(folder / "older-finer", "speaker-diarization-3.1", mel_bins=16, step=0.25)
    return folder


@pytest.fixture(scope="session")
def call(tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
    return AvDecoder().decode(DATA / "call.flac", tmp_path_factory.mktemp("call"), LIMITS, lambda _: None).mix


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    return conversation(tmp_path_factory.mktemp("told") / "audio", seconds=60, speakers=3, seed=0)


@pytest.fixture(scope="session")
def loaded(models: Path) -> DiarizationEngine:
    """One that every test may use: loading is slow."""
    return PyannoteDiarizer(PyannoteOptions(models_dir=models, model="ours"))


class Called(DiarizationContract):
    traits = DiarizerTraits(follows=False)

    @pytest.fixture
    def audio(self, call: DecodedAudio) -> DecodedAudio:
        return call

    @pytest.fixture
    def request_(self) -> DiarizationRequest:
        lines = read_stm(DATA / "call.stm")
        speech = tuple(Span(round(line.start * 1000), round(line.end * 1000)) for line in lines)
        return DiarizationRequest(speech=speech, hints=SpeakerHints(exact=2))


class TestPyannoteDiarizer(Called, adapter=PyannoteDiarizer):
    @pytest.fixture
    def engine(self, loaded: DiarizationEngine) -> DiarizationEngine:
        return loaded


class TestPyannoteDiarizerWithClusteringByDistance(Called):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, models: Path) -> DiarizationEngine:
        return PyannoteDiarizer(PyannoteOptions(models_dir=models, model="older"))


class TestPyannoteDiarizerInAChild(Called):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, models: Path) -> Iterator[DiarizationEngine]:
        engine = PyannoteDiarizer(PyannoteOptions(models_dir=models, model="ours"))
        hosted = HostedDiarizationEngine(engine, Hosting(preload=True, threads=1))
        yield hosted
        hosted.close()

    def unloaded(self, engine: DiarizationEngine) -> DiarizationEngine:
        assert isinstance(engine, HostedDiarizationEngine)
        return engine._engine


def annotation(turns: Sequence[SpeakerTurn]) -> Annotation:
    found = Annotation(uri="recording")
    for number, turn in enumerate(turns):
        found[Segment(turn.span.start / 1000, turn.span.end / 1000), number] = turn.speaker
    return found


def error_rate(truth: Sequence[SpeakerTurn], turns: Sequence[SpeakerTurn]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the region to score is not stated: it is all of both
        return float(DiarizationErrorRate()(annotation(truth), annotation(turns)))


@pytest.mark.parametrize("layout", ["ours", "older"])
def test_up_to_a_block_the_answer_is_pyannotes_own(models: Path, told: Conversation, layout: str) -> None:
    engine = PyannoteDiarizer(PyannoteOptions(models_dir=models, model=layout))
    answer = engine.diarize(told.audio, DiarizationRequest(speech=told.speech, hints=UNKNOWN), lambda _: None)
    sound = torch.from_numpy(samples(told.audio, Span(0, told.audio.duration)).copy())[None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Pipeline.from_pretrained(models / layout)({"waveform": sound, "sample_rate": 16_000}, max_speakers=20)
    for turns, expected in (
        (answer.turns, theirs.speaker_diarization),
        (answer.exclusive, theirs.exclusive_speaker_diarization),
    ):
        inside = [
            (start, min(end, told.audio.duration))
            for segment in expected.itersegments()
            if (start := to_ms(segment.start)) < (end := to_ms(segment.end)) and start < told.audio.duration
        ]
        assert [(turn.span.start, turn.span.end) for turn in turns] == sorted(inside)
    assert len(answer.speakers) == len(theirs.speaker_diarization.labels())
    ours = np.array([centroid for _, centroid in answer.centroids])
    np.testing.assert_allclose(np.sort(ours, axis=0), np.sort(theirs.speaker_embeddings, axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", ["ours-finer", "older-finer"])
def test_blocks_agree_with_the_whole(models: Path, told: Conversation, layout: str) -> None:
    """Half a minute each, a sixtieth of what is usual: a handful of windows, of which clustering makes little."""
    request = DiarizationRequest(speech=told.speech, hints=SpeakerHints(exact=3))
    options = PyannoteOptions(models_dir=models, model=layout)
    whole = PyannoteDiarizer(options).diarize(told.audio, request, lambda _: None)
    blocked = PyannoteDiarizer(replace(options, block=31_000)).diarize(told.audio, request, lambda _: None)
    assert len(blocked.speakers) == len(blocked.centroids) == 3
    apart = error_rate(whole.turns, blocked.turns)
    assert error_rate(told.turns, whole.turns) < 0.3
    print(f"{layout}: blocks and the whole differ by {apart:.3f}; from the truth by",  # noqa: T201 - a figure to report
          f"{error_rate(told.turns, blocked.turns):.3f} and {error_rate(told.turns, whole.turns):.3f}")  # fmt: skip
    assert apart < 0.4


def test_a_silent_block_costs_nothing(models: Path, told: Conversation) -> None:
    half = told.audio.duration // 2
    speech = tuple(span for span in told.speech if span.end < 20_000)
    engine = PyannoteDiarizer(PyannoteOptions(models_dir=models, model="ours", block=half + 1))
    answer = engine.diarize(told.audio, DiarizationRequest(speech=speech, hints=UNKNOWN), lambda _: None)
    assert max(turn.span.end for turn in answer.turns) <= half + 1


def test_voices_of_spans_are_those_of_the_centroids(models: Path, told: Conversation) -> None:
    loaded = PyannoteDiarizer(PyannoteOptions(models_dir=models, model="ours-finer"))
    request = DiarizationRequest(speech=told.speech, hints=SpeakerHints(exact=3))
    answer = loaded.diarize(told.audio, request, lambda _: None)
    names, centroids = zip(*answer.centroids, strict=True)
    seen: list[float] = []
    brief = Span(told.speech[0].start, told.speech[0].start + 200)
    voices = loaded.embed(told.audio, (*told.speech, brief, Span(0, told.audio.duration)), seen.append)
    assert voices[-2] is None
    assert voices[-1] is not None
    assert seen == sorted(seen)
    assert seen[-1] == 1
    right = 0
    for turn, voice in zip(told.turns, voices, strict=False):
        assert voice is not None
        likeness = [np.dot(voice, centre) / np.linalg.norm(voice) / np.linalg.norm(centre) for centre in centroids]
        label = names[int(np.argmax(likeness))]
        heard = {name: covered([t.span.clamp(turn.span) for t in answer.turns if t.speaker == name]) for name in names}
        right += label == max(heard, key=lambda name: heard[name])
    assert right >= 0.8 * len(told.turns)


def test_the_published_layout_of_three_repositories_needs_no_hub(
    models: Path, call: DecodedAudio, tmp_path: Path
) -> None:
    """As people keep 3.1: three clones side by side, the configuration as published, no PLDA."""
    pipeline = tmp_path / "speaker-diarization-3.1"
    pipeline.mkdir()
    for role, name in (("segmentation", "segmentation-3.0"), ("embedding", "wespeaker-voxceleb-resnet34-LM")):
        shutil.copytree(models / "older" / role, tmp_path / name)
    config = (models / "older" / "config.yaml").read_text()
    config = re.sub(r"segmentation: /.*", "segmentation: pyannote/segmentation-3.0", config)
    config = re.sub(r"embedding: /.*", "embedding: pyannote/wespeaker-voxceleb-resnet34-LM", config)
    (pipeline / "config.yaml").write_text(re.sub(r"    plda: .*\n", "", config))
    request = DiarizationRequest(speech=(Span(0, call.duration),), hints=UNKNOWN)
    answers = [
        PyannoteDiarizer(PyannoteOptions(models_dir=folder, model=name)).diarize(call, request, lambda _: None)
        for folder, name in ((tmp_path, "speaker-diarization-3.1"), (models, str(models / "older")))
    ]
    assert answers[0] == answers[1]


def test_weights_that_are_not_here_are_named(models: Path, call: DecodedAudio, tmp_path: Path) -> None:
    request = DiarizationRequest(speech=(Span(0, call.duration),), hints=UNKNOWN)

    def failure(**options: object) -> str:
        engine = PyannoteDiarizer(replace(PyannoteOptions(models_dir=tmp_path), **options))  # type: ignore[arg-type]
        with pytest.raises(EngineUnavailable) as caught:
            engine.diarize(call, request, lambda _: None)
        assert str(tmp_path) not in caught.value.detail
        return caught.value.detail

    assert "not on this machine" in failure()
    shutil.copytree(models / "ours", tmp_path / "halved")
    (tmp_path / "halved" / "embedding" / "pytorch_model.bin").unlink()
    assert "the embedding of 'halved'" in failure(model="halved")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("pipeline:\n  name: os.system\n")
    assert "no pyannote speaker diarization" in failure(model="other")
    shutil.copytree(models / "ours", tmp_path / "torn")
    (tmp_path / "torn" / "segmentation" / "pytorch_model.bin").write_bytes(b"torn")
    assert "'torn' is damaged" in failure(model="torn")
    if not torch.cuda.is_available():
        assert "no GPU" in failure(model=str(models / "ours"), device="cuda:0")


def test_the_hub_is_asked_with_the_token_only_where_it_must_be(
    models: Path, call: DecodedAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = weights_of(models / "ours", "gated", engine="pyannote", kind="diarization", gated=True)
    monkeypatch.setitem(CATALOGUE, "gated", entry)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    request = DiarizationRequest(speech=(Span(0, call.duration),), hints=UNKNOWN)
    options = PyannoteOptions(models_dir=tmp_path, model="gated", allow_download=True)
    with loopback_hub() as hub:
        hub.publish(entry.repository, models / "ours")
        hub.token = "hf_secret"  # noqa: S105 - of a hub that lives as long as this test
        with pytest.raises(EngineUnavailable, match="MODELS_HUB_TOKEN"):
            PyannoteDiarizer(options, Hub(url=hub.url)).diarize(call, request, lambda _: None)
        engine = PyannoteDiarizer(options, Hub(url=hub.url, token=hub.token))
        assert "hf_secret" not in repr(engine._hub)
        assert engine.diarize(call, request, lambda _: None).turns
        asked = len(hub.asked)
        assert pickle.loads(pickle.dumps(engine)).diarize(call, request, lambda _: None).turns  # noqa: S301 - ours
        assert len(hub.asked) == asked, "weights that are here were asked for again"


def test_less_memory_is_needed_step_by_step(models: Path) -> None:
    engine: DiarizationEngine | None = PyannoteDiarizer(
        PyannoteOptions(models_dir=models, device="cuda:1", cpu_fallback=True)
    )
    sentences = []
    while isinstance(engine, PyannoteDiarizer) and (less := engine.reduced()):
        engine, sentence = less
        sentences.append(sentence)
    assert sentences == [
        "a batch of 4 instead of 16 voices, for want of memory",
        "a batch of 1 instead of 4 voices, for want of memory",
        "computed on the CPU instead of cuda:1, for want of memory",
    ]  # fmt: skip
    assert isinstance(engine, PyannoteDiarizer)
    assert engine.capabilities().device == "cpu"


_GUARDED = """
import sys, time
seen = []
def guard(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        seen.append((event, str(arguments[1:3])))
sys.addaudithook(guard)
from pathlib import Path
from adapters.diarization.pyannote import PyannoteDiarizer
from adapters.diarization.pyannote_options import PyannoteOptions
from application.ports.diarization import DiarizationRequest
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
models, path, duration = sys.argv[1:]
audio = DecodedAudio(path=Path(path), duration=int(duration))
engine = PyannoteDiarizer(PyannoteOptions(models_dir=Path(models), model="ours"))
engine.load()
engine.diarize(audio, DiarizationRequest(speech=(Span(0, audio.duration),), hints=SpeakerHints()), lambda _: None)
engine.embed(audio, (Span(0, 5_000),), lambda _: None)
time.sleep(1.5)  # telemetry leaves half a second later, in a thread
print("quiet:", seen)
from pyannote.audio import telemetry
telemetry.set_telemetry_metrics(True)
telemetry.track_pipeline_init(object())
telemetry.metrics.provider.force_flush(3_000)
print("noisy:", bool(seen))
"""


def test_nothing_is_sent_anywhere(models: Path, call: DecodedAudio) -> None:
    """Without the settings of a child, which switch telemetry off as well; the guard itself is proven at the end."""
    command = [sys.executable, "-W", "ignore", "-c", _GUARDED, str(models), str(call.path), str(call.duration)]
    environment = {"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "HOME": str(models), "PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=True).stdout
    assert "quiet: []" in said
    assert "noisy: True" in said


_PEAK = """
import sys
from pathlib import Path
from adapters.diarization.pyannote import PyannoteDiarizer
from adapters.diarization.pyannote_options import PyannoteOptions
from application.ports.diarization import DiarizationRequest
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
models, path, duration, block = sys.argv[1:]
audio = DecodedAudio(path=Path(path), duration=int(duration))
engine = PyannoteDiarizer(PyannoteOptions(models_dir=Path(models), model="tiny", block=int(block)))
engine.diarize(audio, DiarizationRequest(speech=(Span(0, audio.duration),), hints=SpeakerHints()), lambda _: None)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, told: Conversation) -> None:
    build_pipeline(tmp_path / "tiny", "speaker-diarization-3.1", mel_bins=8, step=1.0)
    once = Path(told.audio.path).read_bytes()
    peaks = []
    for rounds, block in ((4, 120_000), (12, 120_000), (12, 10_000_000)):
        (tmp_path / "long").write_bytes(once * rounds)
        place = [str(tmp_path), str(tmp_path / "long"), str(rounds * told.audio.duration), str(block)]
        command = [sys.executable, "-W", "ignore", "-c", _PEAK, *place]
        peaks.append(
            int(subprocess.check_output(command, env={"OMP_NUM_THREADS": "1"}, cwd=ROOT, text=True).split()[-1]) / 1000
        )
    print(f"peak MB: {peaks[0]:.0f} for 4 min, {peaks[1]:.0f} for 12 min, {peaks[2]:.0f} as one block")  # noqa: T201
    # The allocator keeps some 50 MB in the first blocks and nothing in later ones, so the growths are compared.
    assert peaks[2] > peaks[0] + 100, "one block for all takes no more memory, so this test proves nothing"
    assert peaks[1] - peaks[0] < 0.5 * (peaks[2] - peaks[0])
