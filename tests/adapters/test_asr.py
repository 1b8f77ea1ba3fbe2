"""The speech recognisers: their contract, which broken ones do not keep; where weights come from; what they hear."""

import inspect
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.asr.faster_whisper import FasterWhisperEngine
from adapters.asr.pieces import pieces
from adapters.asr.pocketsphinx import PocketSphinxEngine
from adapters.asr.weights import ENGLISH, FILES, LANGUAGES, MODELS, find_weights, languages_of
from adapters.catalogue import CATALOGUE
from adapters.scripted.engine import ScriptedEngine
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import ColloquyError, EngineFailed, EngineUnavailable, InvalidOptions, ModelNotFound
from domain.media import DecodedAudio
from domain.options import Goal
from domain.span import Span, covered, merged
from domain.transcript import Recognition, Segment, Timing
from tests.bench.bench_asr import decoded, reference, word_error_rate
from tests.contracts.proof import failures
from tests.contracts.transcription import ROOT, TranscriptionContract, unheard
from tests.loopback_hub import loopback_hub, weights_of

DATA = ROOT / "tests" / "data"
WEIGHTS = DATA / "small-whisper"
NOWHERE = Path("/nonexistent")
TURNS = tuple(span for _, span, _ in reference(DATA / "conversation.stm"))
WHOLE = Span(0, 21_220)


def small(**changes: object) -> FasterWhisperEngine:
    """The trained test model, by its path, in one thread."""
    settings: dict[str, object] = {"models_dir": NOWHERE, "model": str(WEIGHTS), "device": "cpu", "threads": 1}
    return FasterWhisperEngine(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
    return decoded(DATA / "conversation.flac", tmp_path_factory.mktemp("conversation"))


@pytest.fixture(scope="module")
def silence(tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
    path = tmp_path_factory.mktemp("silence") / "audio"
    path.write_bytes(bytes(20_000 * 32))
    return DecodedAudio(path=path, duration=20_000)


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.adapters.small_whisper import build  # noqa: PLC0415 - it imports CTranslate2

    return build(tmp_path_factory.mktemp("models") / "babel")


# The contract


class Bound(TranscriptionContract):
    """A little of the conversation, so that slow engines can be bound to it too; one region lies outside the window."""

    @pytest.fixture(scope="class")
    @classmethod
    def audio(cls, conversation: DecodedAudio) -> DecodedAudio:
        return conversation

    @pytest.fixture(scope="class")
    @classmethod
    def window(cls) -> Span:
        return Span(7_000, 21_000)

    @pytest.fixture(scope="class")
    @classmethod
    def asked(cls) -> RecognitionRequest:
        return RecognitionRequest(speech=(Span(4_000, 6_400), Span(14_300, 15_200), Span(19_500, 20_500)))


class TestFasterWhisperEngine(Bound, adapter=FasterWhisperEngine):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> TranscriptionEngine:
        return small(batch_size=1)

    @pytest.fixture
    def unloaded(self) -> TranscriptionEngine:
        return small()


class TestMultilingualFasterWhisperEngine(Bound):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, random_weights: Path) -> TranscriptionEngine:
        return small(model=str(random_weights))

    @pytest.fixture
    def unloaded(self, random_weights: Path) -> TranscriptionEngine:
        return small(model=random_weights.name, models_dir=random_weights.parent)


class TestPocketSphinxEngine(Bound, adapter=PocketSphinxEngine):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> TranscriptionEngine:
        return PocketSphinxEngine()

    @pytest.fixture
    def unloaded(self) -> TranscriptionEngine:
        return PocketSphinxEngine()


# The contract's own proof: engines that break it in one way each


class Honest(ScriptedEngine):
    """Keeps the contract; what the others do, it does right."""

    def capabilities(self) -> EngineCapabilities:
        return replace(super().capabilities(), languages=frozenset({"en"}))

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        if request.language not in {"auto", "en"}:
            raise InvalidOptions("English alone", code="unsupported_language")
        heard = super().transcribe(audio, window, request, on_progress)
        return replace(heard, segments=self.altered(heard.segments))

    def altered(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        return segments


class Deaf(Honest):
    def altered(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        return segments[:0]


class Unsorted(Honest):
    def altered(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        return segments[::-1]


class Relative(Honest):
    """Counts times from the start of the first segment, as if the window were the recording."""

    def altered(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        by = -segments[0].span.start if segments else 0
        return tuple(
            replace(
                segment,
                span=segment.span.shift(by),
                words=tuple(replace(word, span=word.span.shift(by)) for word in segment.words),
            )
            for segment in segments
        )


class Loose(Honest):
    """Its segments end before their last words do."""

    def altered(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        return tuple(replace(segment, span=Span(segment.span.start, segment.span.start + 100)) for segment in segments)


class Forgetful(Honest):
    """Drops the last word of each segment from its words."""

    def altered(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        return tuple(replace(segment, words=segment.words[:-1]) for segment in segments)


class Logarithmic(Honest):
    def altered(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        return tuple(
            replace(segment, words=tuple(replace(word, confidence=-0.7) for word in segment.words))
            for segment in segments
        )


class Hallucinating(Honest):
    """Hears the whole window, speech or none."""

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        return super().transcribe(audio, window, replace(request, speech=(window,)), on_progress)


class Unbounded(Honest):
    """Hears all speech, inside the window or not."""

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        del window
        return super().transcribe(audio, WHOLE, request, on_progress)


class Undecided(Honest):
    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        return replace(super().transcribe(audio, window, request, on_progress), language="auto")


class Impatient(Honest):
    """Reports its end first."""

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        on_progress(1.0)
        on_progress(0.5)
        return super().transcribe(audio, window, request, on_progress)


class Silent(Honest):
    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        del on_progress
        return super().transcribe(audio, window, request, unheard)


class Unstoppable(Honest):
    """Swallows what its sink raises."""

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        try:
            on_progress(0.0)
        except Exception:  # noqa: BLE001 - the fault on show
            on_progress = unheard
        return super().transcribe(audio, window, request, on_progress)


class Wrapping(Honest):
    """Makes an error of its own out of the sink's."""

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        try:
            return super().transcribe(audio, window, request, on_progress)
        except ColloquyError:
            raise
        except Exception as exc:
            raise EngineFailed("the engine failed") from exc


class Drifting(Honest):
    """Keeps state from call to call."""

    calls = 0

    def altered(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        self.calls += 1
        return tuple(replace(segment, language=f"en-{self.calls}") for segment in segments)


class Obliging(Honest):
    """Takes any model."""

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        return super().transcribe(audio, window, replace(request, model=""), on_progress)


class Nameless(Honest):
    """Does not know its default model by name."""

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        if request.model:
            raise ModelNotFound("no names here")
        return super().transcribe(audio, window, request, on_progress)


class Polyglot(Honest):
    """Takes any language, whatever its capabilities say."""

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        return super().transcribe(audio, window, replace(request, language="en"), on_progress)


class Bound_(Honest):  # noqa: N801 - `Bound` is the suite
    """Cannot travel: it holds a lock."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Heavy(Honest):
    """Imports its vendor to say what it can do."""

    def capabilities(self) -> EngineCapabilities:
        import numpy as np  # noqa: PLC0415 - the fault on show

        return replace(super().capabilities(), device=f"numpy {np.__version__}")


ALL_OF_IT = DecodedAudio(path=NOWHERE, duration=WHOLE.end)
PART = Span(7_000, 21_000)
ASKED = RecognitionRequest(speech=(Span(4_000, 6_400), Span(14_300, 15_200), Span(19_500, 20_500)))


async def broken_promises(broken: type[Honest]) -> set[str]:
    return await failures(
        TranscriptionContract,
        engine=broken,
        unloaded=broken,
        audio=lambda: ALL_OF_IT,
        window=lambda: PART,
        asked=lambda: ASKED,
        heard=lambda: broken().transcribe(ALL_OF_IT, PART, ASKED, unheard),
    )


async def test_an_honest_engine_keeps_the_contract() -> None:
    assert await broken_promises(Honest) == set()


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Deaf, "test_it_hears_words"),
        (Unsorted, "test_segments_and_words_are_in_order_inside_the_window"),
        (Relative, "test_segments_and_words_are_in_order_inside_the_window"),
        (Loose, "test_words_lie_inside_their_segment_and_spell_it"),
        (Forgetful, "test_words_lie_inside_their_segment_and_spell_it"),
        (Logarithmic, "test_confidences_are_probabilities"),
        (Hallucinating, "test_it_hears_nothing_far_from_speech"),
        (Hallucinating, "test_without_speech_there_are_no_segments"),
        (Unbounded, "test_only_the_window_is_heard"),
        (Undecided, "test_the_language_is_a_plain_code"),
        (Impatient, "test_progress_rises_to_one"),
        (Silent, "test_progress_rises_to_one"),
        (Unstoppable, "test_what_the_sink_raises_passes_and_harms_nothing"),
        (Wrapping, "test_what_the_sink_raises_passes_and_harms_nothing"),
        (Drifting, "test_calls_do_not_depend_on_earlier_ones"),
        (Obliging, "test_a_model_it_does_not_have_is_not_found"),
        (Nameless, "test_every_name_of_its_default_model_is_the_same"),
        (Polyglot, "test_a_language_it_does_not_know_is_refused"),
        (Bound_, "test_unloaded_it_travels_and_answers_without_its_vendors"),
        (Heavy, "test_unloaded_it_travels_and_answers_without_its_vendors"),
    ],
)
async def test_the_contract_fails_on_an_engine_that_breaks_it(broken: type[Honest], promise: str) -> None:
    assert promise in await broken_promises(broken)


# Where weights come from


def test_names_and_languages_are_the_vendors() -> None:
    from faster_whisper.tokenizer import _LANGUAGE_CODES  # noqa: PLC0415 - heavy
    from faster_whisper.utils import _MODELS  # noqa: PLC0415 - heavy

    assert frozenset(_LANGUAGE_CODES) == LANGUAGES
    assert {name: _MODELS[name] for name in MODELS} == {name: CATALOGUE[name].repository for name in MODELS}


def test_languages_are_told_as_the_vendor_tells_them(random_weights: Path) -> None:
    import ctranslate2  # noqa: PLC0415 - heavy

    for weights, languages in ((WEIGHTS, ENGLISH), (random_weights, LANGUAGES)):
        assert languages_of(weights) == languages
        assert ctranslate2.models.Whisper(str(weights)).is_multilingual == (languages is LANGUAGES)


@pytest.fixture
def hub_cache(tmp_path: Path) -> Path:
    """The hub library's cache, with `tiny` in it."""
    entry = tmp_path / "hub" / "models--Systran--faster-whisper-tiny"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text("0123abcd")
    (entry / "snapshots").mkdir()
    (entry / "snapshots" / "0123abcd").symlink_to(WEIGHTS)
    return tmp_path / "hub"


def test_weights_are_found_in_the_models_folder_then_in_the_hubs_cache(tmp_path: Path, hub_cache: Path) -> None:
    cached = hub_cache / "models--Systran--faster-whisper-tiny" / "snapshots" / "0123abcd"
    models = tmp_path / "models"
    assert find_weights("tiny", models, hub_cache) == cached
    assert find_weights("base", models, hub_cache) is None
    models.mkdir()
    (models / "tiny").symlink_to(WEIGHTS)
    assert find_weights("tiny", models, hub_cache) == models / "tiny"
    assert find_weights(str(WEIGHTS), models, hub_cache) == WEIGHTS


@pytest.mark.parametrize("missing", [*FILES, "vocabulary.json"])
def test_an_interrupted_download_is_no_model(tmp_path: Path, missing: str) -> None:
    shutil.copytree(WEIGHTS, tmp_path / "base", ignore=shutil.ignore_patterns(missing))
    assert find_weights("base", tmp_path, tmp_path / "no-cache") is None


def test_only_models_that_can_run_are_offered(hub_cache: Path) -> None:
    offered = small(model="base", hub_cache=hub_cache).capabilities()
    assert offered.models == ("base", "tiny")
    assert offered.languages == LANGUAGES
    everything = small(model="base", hub_cache=hub_cache, allow_download=True).capabilities()
    assert everything.models == ("base", *(name for name in MODELS if name != "base"))


def test_an_english_default_stands_alone_and_its_path_stays_private() -> None:
    able = small(allow_download=True).capabilities()
    assert able.models == ("small-whisper",)
    assert able.languages == ENGLISH


def test_missing_weights_are_reported_with_a_fix(conversation: DecodedAudio, tmp_path: Path) -> None:
    engine = small(model="base", models_dir=tmp_path, hub_cache=tmp_path)
    with pytest.raises(EngineUnavailable, match=r"'base' are not on this machine: put .* or allow downloads"):
        engine.transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS), unheard)


def test_weights_that_cannot_be_loaded_are_unavailable(conversation: DecodedAudio, tmp_path: Path) -> None:
    shutil.copytree(WEIGHTS, tmp_path / "base")
    (tmp_path / "base" / "model.bin").write_bytes(b"not a model")
    with pytest.raises(EngineUnavailable, match="cannot be loaded on cpu") as refused:
        small(model="base", models_dir=tmp_path).transcribe(
            conversation, WHOLE, RecognitionRequest(speech=TURNS), unheard
        )
    assert refused.value.__cause__ is not None
    assert str(tmp_path) not in refused.value.detail


_OFFLINE = """
import os, pickle, sys
def guard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        os.write(2, f"{event} {arguments}".encode())
        os._exit(9)
sys.addaudithook(guard)
engine, audio, window, request = pickle.loads(sys.stdin.buffer.read())
print(len(engine.transcribe(audio, window, request, lambda fraction: None).segments))
"""


def run_offline(engine: FasterWhisperEngine, conversation: DecodedAudio) -> subprocess.CompletedProcess[bytes]:
    import pickle  # noqa: PLC0415 - our own child

    call = (engine, conversation, WHOLE, RecognitionRequest(speech=TURNS))
    command = [sys.executable, "-c", _OFFLINE]
    return subprocess.run(command, input=pickle.dumps(call), capture_output=True, check=False, cwd=ROOT)


def test_weights_on_disk_are_loaded_without_a_network_call(conversation: DecodedAudio, hub_cache: Path) -> None:
    for engine in (small(allow_download=True), small(model="tiny", hub_cache=hub_cache, allow_download=True)):
        done = run_offline(engine, conversation)
        assert (done.returncode, done.stderr) == (0, b"")
        assert int(done.stdout.split()[-1]) > 0


def test_the_network_guard_of_the_test_above_bites(conversation: DecodedAudio, tmp_path: Path) -> None:
    engine = small(
        model="tiny", models_dir=tmp_path, hub_cache=tmp_path, allow_download=True, hub_url="http://127.0.0.1:9"
    )
    assert run_offline(engine, conversation).returncode == 9


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A hub that has `tiny`, which is the test model here."""
    with loopback_hub() as running:
        tiny = CATALOGUE["tiny"]
        monkeypatch.setitem(CATALOGUE, "tiny", weights_of(WEIGHTS, "tiny", repository=tiny.repository))
        running.publish(tiny.repository, WEIGHTS)
        yield running.url


def test_a_download_that_is_allowed_lands_in_the_models_folder(
    conversation: DecodedAudio, tmp_path: Path, hub: str
) -> None:
    told: list[float] = []
    engine = small(model="tiny", models_dir=tmp_path, hub_cache=tmp_path, allow_download=True, hub_url=hub)
    heard = engine.transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS), told.append)
    assert heard.segments
    assert told == sorted(told)
    assert find_weights("tiny", tmp_path, NOWHERE) == tmp_path / "tiny"
    assert not list(tmp_path.glob(".*.part"))


def test_what_the_hub_does_not_have_is_unavailable(conversation: DecodedAudio, tmp_path: Path, hub: str) -> None:
    engine = small(model="base", models_dir=tmp_path, hub_cache=tmp_path, allow_download=True, hub_url=hub)
    with pytest.raises(EngineUnavailable, match="could not be downloaded"):
        engine.transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS), unheard)


# What they are told to do


def test_every_parameter_of_decoding_is_said() -> None:
    import ctranslate2  # noqa: PLC0415 - heavy

    from adapters.asr import whisper  # noqa: PLC0415 - heavy

    (call,) = re.findall(r"\w+\(\n.*?\n        \)", inspect.getsource(whisper.Whisper.generate), re.DOTALL)[-1:]
    said = set(re.findall(r"^            (\w+)=", call, re.MULTILINE))
    known = set(re.findall(r"(\w+):", (ctranslate2.models.Whisper.generate.__doc__ or "").splitlines()[0]))
    assert said | set(whisper.ALWAYS) == known - {"self", "features", "prompts"}


def test_prompt_and_hotwords_leave_room_for_the_text(conversation: DecodedAudio) -> None:
    request = RecognitionRequest(
        speech=TURNS, initial_prompt="<|endoftext|> budget " * 100, hotwords=("<|startoftranscript|>", "project") * 100
    )
    assert small().transcribe(conversation, WHOLE, request, unheard).segments


def test_what_a_prompt_holds_is_never_a_control_token() -> None:
    from adapters.asr.whisper import Whisper  # noqa: PLC0415 - heavy

    model = Whisper(WEIGHTS, device="cpu", compute_type="default", threads=1)
    for tokens in (model.hints("<|endoftext|> " * 300, ()), model.hints("", ("<|endoftext|>",) * 300)):
        assert max(tokens) < model._model.hf_tokenizer.token_to_id("<|endoftext|>")
        assert len(tokens) == 223
    assert model.hints(" ", ()) == []


@pytest.mark.parametrize(
    ("texts", "unspaced", "glued"),
    [
        ((" So", " what", "-ever"), False, [False, False, True]),
        (("So", " what"), False, [False, False]),
        (("你", "好"), True, [True, True]),
    ],
)
def test_words_without_a_space_before_them_are_glued(
    texts: Sequence[str],
    unspaced: bool,  # noqa: FBT001 - a parameter of the test
    glued: Sequence[bool],
) -> None:
    from adapters.asr.whisper import _words  # noqa: PLC0415 - heavy

    found = [{"word": text, "tokens": [1], "start": 0.5, "end": 0.7, "probability": 0.9} for text in texts]
    words = list(_words(found, unspaced=unspaced))
    assert [word.glued for word in words] == glued
    assert [word.text for word in words] == [text.strip() for text in texts]
    assert {word.span for word in words} == {Span(500, 700)}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError("std::bad_alloc"), "out_of_memory"),
        (RuntimeError("CUDA failed with error out of memory"), "out_of_memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "out_of_memory"),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"), "out_of_memory"),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_NOT_SUPPORTED"), "engine_failed"),
        (ValueError("/secret/path is wrong"), "engine_failed"),
    ],
)
def test_vendor_errors_are_translated(
    conversation: DecodedAudio, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    from adapters.asr.whisper import Whisper  # noqa: PLC0415 - heavy

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Whisper, "encode", fail)
    with pytest.raises(EngineFailed) as failed:
        small().transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS), unheard)
    assert failed.value.reason == code
    assert failed.value.__cause__ is error
    assert "/secret" not in failed.value.detail


# What they hear


def transcript(engine: TranscriptionEngine, audio: DecodedAudio, speech: tuple[Span, ...]) -> str:
    heard = engine.transcribe(audio, Span(0, audio.duration), RecognitionRequest(speech=speech), unheard)
    return " ".join(segment.text for segment in heard.segments)


def test_whisper_hears_the_conversation(conversation: DecodedAudio) -> None:
    said = " ".join(text for _, _, text in reference(DATA / "conversation.stm"))
    assert word_error_rate(said, transcript(small(), conversation, TURNS)) <= 0.25


def test_whisper_hears_each_turn_where_it_is(conversation: DecodedAudio) -> None:
    padded = [(Span(span.start - 200, span.end + 200), text) for _, span, text in reference(DATA / "conversation.stm")]
    turns = padded[::3]
    request = RecognitionRequest(speech=tuple(span for span, _ in turns))
    heard = small(batch_size=2).transcribe(conversation, WHOLE, request, unheard)
    for (span, text), segment in zip(turns, heard.segments, strict=True):
        assert segment.span == segment.span.clamp(span)
        assert word_error_rate(text, segment.text) <= 0.25


def test_whisper_tells_how_sure_it_is(conversation: DecodedAudio) -> None:
    heard = small().transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS), unheard)
    assert heard.suspects == ()
    (segment, *_) = heard.segments
    assert segment.quality is not None
    assert segment.quality.decode_attempts == 1
    assert segment.quality.average_log_probability is not None
    assert -1.0 < segment.quality.average_log_probability < 0.0
    assert segment.quality.no_speech_probability is not None
    assert segment.quality.no_speech_probability < 0.5
    assert segment.quality.compression_ratio is not None
    assert segment.quality.compression_ratio > 0.5


def test_whisper_detects_the_language_that_was_not_given(conversation: DecodedAudio, random_weights: Path) -> None:
    engine = small(model=str(random_weights))
    detected = engine.transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS), unheard)
    assert detected.language in {"en", "de", "zh"}
    assert detected.language_probability is not None
    assert 0.33 < detected.language_probability < 1.0
    given = engine.transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS, language="zh"), unheard)
    assert given.language == "zh"
    words = [word for segment in given.segments for word in segment.words]
    assert all(word.glued for word in words if word.timing is Timing.ALIGNED)


def test_each_stretch_is_in_one_of_the_languages_that_are_allowed(
    conversation: DecodedAudio, random_weights: Path
) -> None:
    engine = small(model=str(random_weights))
    told = engine.transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS), unheard).language
    others = tuple(code for code in ("en", "de", "zh") if code != told)
    request = RecognitionRequest(speech=TURNS, languages=others)
    heard = engine.transcribe(conversation, WHOLE, request, unheard)
    assert {segment.language for segment in heard.segments} <= set(others)
    assert heard.language in others
    assert heard.language_probability is not None
    assert 0.5 <= heard.language_probability <= 1.0
    assert heard == engine.transcribe(conversation, WHOLE, request, unheard)


def test_translation_asks_the_model_for_it_and_is_english(conversation: DecodedAudio, random_weights: Path) -> None:
    engine = small(model=str(random_weights))
    request = RecognitionRequest(speech=TURNS, language="zh", temperature=0.0)
    written = engine.transcribe(conversation, WHOLE, request, unheard)
    translated = engine.transcribe(conversation, WHOLE, replace(request, goal=Goal.TRANSLATE), unheard)
    assert (written.language, translated.language) == ("zh", "zh")
    assert {segment.language for segment in translated.segments} == {"en"}
    assert [segment.text for segment in translated.segments] != [segment.text for segment in written.segments]


def test_models_that_cannot_translate_say_so_and_refuse(conversation: DecodedAudio) -> None:
    assert not small().capabilities().translation
    able = small(model="base", allow_download=True).capabilities()
    assert able.translation
    assert able.transcribe_only == {"turbo"}
    with pytest.raises(InvalidOptions, match="cannot translate"):
        small().transcribe(conversation, WHOLE, RecognitionRequest(speech=TURNS, goal=Goal.TRANSLATE), unheard)


def test_sampling_at_a_temperature_is_repeatable_and_differs_from_the_beam(
    conversation: DecodedAudio, random_weights: Path
) -> None:
    engine = small(model=str(random_weights))
    request = RecognitionRequest(speech=TURNS, language="en", temperature=0.0)
    beam = engine.transcribe(conversation, WHOLE, request, unheard)
    warm = [engine.transcribe(conversation, WHOLE, replace(request, temperature=0.9), unheard) for _ in range(3)]
    assert warm[0] == warm[1] == warm[2]
    assert warm[0] != beam
    assert {s.quality.decode_attempts for heard in (beam, *warm) for s in heard.segments if s.quality} == {1}


def test_whisper_tries_what_it_cannot_believe_again_and_says_so(
    conversation: DecodedAudio, random_weights: Path
) -> None:
    heard = small(model=str(random_weights)).transcribe(
        conversation, WHOLE, RecognitionRequest(speech=TURNS, language="en"), unheard
    )
    assert heard.suspects, "a model with random weights says nothing likely"
    assert all(segment.quality and segment.quality.decode_attempts == 4 for segment in heard.segments)
    assert all(suspect.span.duration for suspect in heard.suspects)


@pytest.mark.parametrize("make", [small, PocketSphinxEngine])
@pytest.mark.parametrize("length", [1, 10, 25, 60, 3_000])
def test_nothing_is_heard_in_silence_however_short(
    make: Callable[[], TranscriptionEngine], silence: DecodedAudio, length: int
) -> None:
    assert transcript(make(), silence, (Span(5_000, 5_000 + length),)) == ""


@pytest.mark.parametrize("make", [small, PocketSphinxEngine])
def test_speech_may_end_after_the_recording(make: Callable[[], TranscriptionEngine], silence: DecodedAudio) -> None:
    heard = make().transcribe(silence, Span(0, 30_000), RecognitionRequest(speech=(Span(19_500, 29_000),)), unheard)
    assert heard.segments == ()


def test_pocketsphinx_cleans_its_words(conversation: DecodedAudio) -> None:
    words = transcript(PocketSphinxEngine(), conversation, (Span(4_000, 6_400),)).split()
    assert words
    assert all(re.fullmatch(r"[a-z][a-z'.-]*", word) for word in words)


@pytest.mark.slow
@pytest.mark.speech
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "speech_regions", "worst"),
    [
        ("jfk.flac", (Span(70, 2_522), Span(3_078, 4_634), Span(5_190, 11_000)), 0.30),
        ("telephone.wav", (Span(6_534, 7_162), Span(7_430, 30_000)), 0.90),
    ],
)
def test_pocketsphinx_hears_real_speech_as_well_as_it_did(
    speech: Path, tmp_path: Path, name: str, speech_regions: tuple[Span, ...], worst: float
) -> None:
    stem = (speech / name).with_suffix("")
    said = (
        stem.with_suffix(".txt").read_text(encoding="utf-8")
        if name == "jfk.flac"
        else " ".join(text for _, _, text in reference(stem.with_suffix(".stm")))
    )
    heard = transcript(PocketSphinxEngine(), decoded(speech / name, tmp_path), speech_regions)
    assert word_error_rate(said, heard) <= worst


# Pieces

regions = st.lists(st.tuples(st.integers(0, 19_000), st.integers(1, 19_000)), max_size=8).map(
    lambda pairs: merged(Span(start, min(start + length, 20_000)) for start, length in pairs)
)


@given(speech=regions, longest=st.integers(500, 9_000), pause=st.integers(0, 3_000))
def test_pieces_hold_all_speech_and_are_never_too_long(
    conversation: DecodedAudio, speech: tuple[Span, ...], longest: int, pause: int
) -> None:
    found = pieces(conversation, speech, longest=longest, pause=pause)
    assert all(0 < piece.duration <= longest for piece in found)
    assert all(earlier.end <= later.start for earlier, later in pairwise(found))
    heard = [region for region in speech if pieces(conversation, [region], longest=20_000, pause=0)]
    assert sum(region.overlap(piece) for region in heard for piece in found) == covered(heard)
    gaps = [(earlier.end, later.start) for earlier, later in pairwise(speech)]
    wide = [Span(*gap) for gap in gaps if gap[1] - gap[0] > pause]
    assert not any(piece.overlap(gap) for piece in found for gap in wide)


def test_a_long_region_is_cut_where_it_is_quiet(tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415 - heavy

    noise = np.random.default_rng(0).normal(0, 3_000, 50_000 * 16).astype("<i2")
    for quiet in (26_000, 45_000):
        noise[quiet * 16 : (quiet + 200) * 16] = 0
    (tmp_path / "audio").write_bytes(noise.tobytes())
    audio = DecodedAudio(path=tmp_path / "audio", duration=50_000)
    first, second = pieces(audio, [Span(0, 50_000)], longest=30_000, pause=0)
    assert 26_000 <= first.end <= 26_200
    assert second == Span(first.end, 50_000)
