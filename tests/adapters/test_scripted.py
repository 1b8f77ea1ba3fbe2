"""The scripted engines: what they say follows from time alone, and their scripts do what they say."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Act, Kind, Script
from application.ports.asr import RecognitionRequest
from application.ports.diarization import DiarizationRequest
from domain.errors import InvalidOptions
from domain.media import DecodedAudio
from domain.span import Span, covered, merged
from domain.speaker import SpeakerHints
from domain.transcript import Recognition, join_words
from tests.contracts.transcription import TranscriptionContract

AUDIO = DecodedAudio(path=Path("not-read"), duration=60_000)
WHOLE = Span(0, 60_000)

regions = st.lists(st.tuples(st.integers(0, 59_000), st.integers(1, 5_000)), max_size=12).map(
    lambda pairs: merged(Span(start, min(start + length, 60_000)) for start, length in pairs)
)


def unheard(_: float) -> None:
    """A sink that never objects."""


def transcribe(engine: ScriptedEngine, window: Span, speech: tuple[Span, ...]) -> Recognition:
    return engine.transcribe(AUDIO, window, RecognitionRequest(speech=speech), unheard)


class TestScriptedEngine(TranscriptionContract, adapter=ScriptedEngine):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> ScriptedEngine:
        return ScriptedEngine()

    @pytest.fixture
    def unloaded(self) -> ScriptedEngine:
        return ScriptedEngine(Script.parse("sleep:0.05; counter=calls"))

    @pytest.fixture(scope="class")
    @classmethod
    def audio(cls) -> DecodedAudio:
        return AUDIO

    @pytest.fixture(scope="class")
    @classmethod
    def window(cls) -> Span:
        return Span(10_000, 30_000)

    @pytest.fixture(scope="class")
    @classmethod
    def asked(cls) -> RecognitionRequest:
        return RecognitionRequest(speech=(Span(2_000, 5_000), Span(9_000, 14_300), Span(20_000, 31_700)))


# What they say


def test_words_are_numbered_by_their_half_second() -> None:
    (segment,) = transcribe(ScriptedEngine(), WHOLE, (Span(2_600, 4_700),)).segments
    assert segment.text == "word6 word7. word8 word9"
    assert [word.span for word in segment.words] == [
        Span(3_000, 3_400), Span(3_500, 3_900), Span(4_000, 4_400), Span(4_500, 4_700)
    ]  # fmt: skip
    assert segment.span == Span(3_000, 4_700)


@given(speech=regions, cuts=st.lists(st.integers(1, 59_999), max_size=6))
def test_wherever_windows_are_cut_the_words_are_the_same(speech: tuple[Span, ...], cuts: list[int]) -> None:
    edges = sorted({0, *cuts, 60_000})
    windows = [Span(start, end) for start, end in pairwise(edges)]
    in_one = transcribe(ScriptedEngine(), WHOLE, speech)
    in_many = [transcribe(ScriptedEngine(), window, speech) for window in windows]

    def said(recognitions: list[Recognition]) -> str:
        return join_words(word for found in recognitions for segment in found.segments for word in segment.words)

    assert said(in_many) == said([in_one])


@given(speech=regions, count=st.integers(1, 6))
def test_as_many_speakers_as_asked_for_share_exactly_the_speech(speech: tuple[Span, ...], count: int) -> None:
    request = DiarizationRequest(speech=speech, hints=SpeakerHints(exact=count))
    found = ScriptedDiarizer().diarize(AUDIO, request, unheard)
    assert len(found.speakers) == min(count, covered(speech))
    assert merged(turn.span for turn in found.turns) == speech
    assert found.exclusive == found.turns


@pytest.mark.parametrize(
    ("hints", "count"),
    [
        (SpeakerHints(), 2),
        (SpeakerHints(at_least=4), 4),
        (SpeakerHints(at_most=1), 1),
        (SpeakerHints(at_least=1, at_most=5), 2),
    ],
)
def test_without_an_exact_count_there_are_two_speakers_within_bounds(hints: SpeakerHints, count: int) -> None:
    request = DiarizationRequest(speech=(WHOLE,), hints=hints)
    assert len(ScriptedDiarizer().diarize(AUDIO, request, unheard).speakers) == count


# What their scripts do


def test_a_script_is_read_from_a_string() -> None:
    assert Script.parse("segfault@3x1; sleep:0.05;leak:50@120000ms ;counter=/tmp/a b;load:2;raisex4;") == Script(
        acts=(
            Act(kind=Kind.SEGFAULT, call=3, times=1),
            Act(kind=Kind.SLEEP, amount=0.05),
            Act(kind=Kind.LEAK, amount=50, start=120_000),
            Act(kind=Kind.LOAD, amount=2),
            Act(kind=Kind.RAISE, times=4),
        ),
        counter=Path("/tmp/a b"),  # noqa: S108 - never opened
    )
    assert Script.parse("") == Script()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode@3", "unknown kind 'explode' in 'explode@3': expected one of sleep, burn, load"),
        ("sleep", "sleep takes an amount, unlike 'sleep'"),
        ("raise:3", "raise takes no amount, unlike 'raise:3'"),
        ("sleep:0.05; segfault at 3", "cannot read 'segfault at 3'"),
        ("sleep:-1", "cannot read 'sleep:-1'"),
    ],
)
def test_a_script_that_cannot_be_read_says_which_item_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        Script.parse(text)
    assert complaint in refused.value.detail


def outcomes(engine: ScriptedEngine, windows: list[Span]) -> str:
    """A dot for each call that answered, an x for each that raised."""
    marks = ""
    for window in windows:
        try:
            transcribe(engine, window, (WHOLE,))
            marks += "."
        except RuntimeError:
            marks += "x"
    return marks


FOUR = [Span(0, 1_000), Span(1_000, 2_000), Span(0, 1_000), Span(1_000, 2_000)]


@pytest.mark.parametrize(
    ("script", "marks"),
    [
        ("raise", "xxxx"),
        ("raise@3", "..x."),
        ("raise@3x1", "..x."),
        ("raise@1000ms", ".x.x"),
        ("raise@1000msx1", ".x.."),
        ("raisex2", "xx.."),
        ("raise@1; raise@4", "x..x"),
    ],
)
def test_faults_happen_when_and_as_often_as_the_script_says(script: str, marks: str) -> None:
    assert outcomes(ScriptedEngine(Script.parse(script)), FOUR) == marks


def test_a_counter_goes_on_counting_in_another_process(tmp_path: Path) -> None:
    script = Script.parse(f"raise@3x1; counter={tmp_path / 'counter'}")
    marks = [outcomes(ScriptedEngine(script), [window]) for window in FOUR]
    assert marks == [".", ".", "x", "."]
    lines = (tmp_path / "counter").read_text().splitlines()
    assert [line for line in lines if line != "load"] == [
        "call 0 1000", "call 1000 2000", "call 0 1000", "act 0", "call 1000 2000"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("oom_torch", "CUDA out of memory"),
        ("oom_ctranslate2", "CUDA failed with error out of memory"),
        ("sticky_cuda", "CUDA error: an illegal memory access"),
    ],
)
def test_errors_read_as_the_vendors_write_them(kind: str, text: str) -> None:
    with pytest.raises(RuntimeError, match=text):
        transcribe(ScriptedEngine(Script.parse(kind)), WHOLE, (WHOLE,))


@pytest.mark.parametrize(("script", "clock"), [("sleep:0.2", time.monotonic), ("burn:0.2", time.thread_time)])
def test_costs_are_paid_and_their_progress_is_reported(script: str, clock: Callable[[], float]) -> None:
    heard: list[float] = []
    begun = clock()
    ScriptedEngine(Script.parse(script)).transcribe(AUDIO, WHOLE, RecognitionRequest(speech=(WHOLE,)), heard.append)
    assert 0.2 <= clock() - begun < 0.4
    assert len(heard) >= 4
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_progress_never_falls_from_one_cost_to_the_next() -> None:
    heard: list[float] = []
    engine = ScriptedDiarizer(Script.parse("sleep:0.1; sleep:0.1"))
    engine.diarize(AUDIO, DiarizationRequest(speech=(WHOLE,), hints=SpeakerHints()), heard.append)
    assert heard == sorted(heard)


def test_what_the_sink_raises_stops_the_work() -> None:
    begun = time.monotonic()

    def stop(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        ScriptedEngine(Script.parse("sleep:10")).transcribe(AUDIO, WHOLE, RecognitionRequest(speech=()), stop)
    assert time.monotonic() - begun < 5
