"""O-03: memory runs out amid a recording; the engine goes on with less, the result says so, nothing is lost.

The engine is scripted and says what PyTorch and CTranslate2 say; its process, the way down and the task are real.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from application.ports.asr import RecognitionRequest
from application.ports.diarization import DiarizationRequest
from domain.errors import EngineFailed
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
from domain.stage import StageName, StageStatus
from domain.task import TaskStatus
from tests.adapters.processes import children, running
from tests.application.installation import Installation

AUDIO = DecodedAudio(path=Path("not-read"), duration=60_000)
WINDOWS = tuple(Span(start, start + 20_000) for start in (0, 20_000, 40_000))
REQUEST = RecognitionRequest(speech=WINDOWS)
STEPS = (
    "a batch of 4 instead of 8, for want of memory",
    "computed with 8 bits, for want of memory",
    "computed on the CPU instead of cuda:0, for want of memory",
)
texts = pytest.mark.parametrize("text", ["oom_torch", "oom_ctranslate2"])
Hosted = Callable[..., HostedTranscriptionEngine]


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    """Hosts a scripted engine on a pretended GPU; its faults are counted across processes."""
    opened = []

    def host(script: str, **policy: float) -> HostedTranscriptionEngine:
        parsed = Script.parse(f"{script}; device=cuda:0; counter={tmp_path / 'counter'}")
        opened.append(HostedTranscriptionEngine(ScriptedEngine(parsed), Hosting(**policy)))  # type: ignore[arg-type]
        return opened[-1]

    yield host
    for engine in opened:
        engine.close()


def heard(engine: HostedTranscriptionEngine, window: Span, sink: Callable[[float], None] = lambda _: None) -> object:
    recognition = engine.transcribe(AUDIO, window, REQUEST, sink)
    assert recognition.segments == ScriptedEngine().transcribe(AUDIO, window, REQUEST, lambda _: None).segments
    return recognition.degraded


@texts
@pytest.mark.parametrize("times", [1, 2, 3])
def test_o03_a_window_that_is_too_much_is_done_with_less(hosted: Hosted, text: str, times: int) -> None:
    engine = hosted(f"{text}@20000msx{times}")
    assert heard(engine, WINDOWS[0]) == ()
    (child,) = children()
    progress: list[float] = []
    assert heard(engine, WINDOWS[1], progress.append) == STEPS[:times]
    assert not running(child), "what filled the memory went with its process"
    assert len(children()) == 1
    assert progress == sorted(progress)
    assert heard(engine, WINDOWS[2]) == STEPS[:times], "it stays with what went well"


@texts
def test_o03_after_three_steps_the_call_fails_and_the_next_begins_at_the_top(hosted: Hosted, text: str) -> None:
    engine = hosted(f"{text}@20000msx4")
    with pytest.raises(EngineFailed) as failed:
        engine.transcribe(AUDIO, WINDOWS[1], REQUEST, lambda _: None)
    assert failed.value.reason == "out_of_memory"
    assert not children()
    assert heard(engine, WINDOWS[1]) == ()


def test_o03_after_a_while_the_engine_is_tried_as_it_was_configured(hosted: Hosted) -> None:
    engine = hosted("oom_torch@1", reduced_seconds=0.5)
    assert heard(engine, WINDOWS[0]) == STEPS[:1]
    assert heard(engine, WINDOWS[1]) == STEPS[:1]
    time.sleep(0.6)
    assert heard(engine, WINDOWS[2]) == ()


def test_o03_a_child_that_ended_for_idleness_comes_back_as_configured(hosted: Hosted) -> None:
    engine = hosted("oom_torch@1", idle_seconds=0.3)
    assert heard(engine, WINDOWS[0]) == STEPS[:1]
    time.sleep(1.0)
    assert not children()
    assert heard(engine, WINDOWS[1]) == ()


@pytest.mark.parametrize("policy", [{"idle_seconds": 0.0}, {"max_calls": 1}])
def test_o03_a_child_for_each_call_need_not_find_out_each_time(hosted: Hosted, policy: dict[str, float]) -> None:
    engine = hosted("oom_torch@1", **policy)
    assert [heard(engine, window) for window in WINDOWS] == [STEPS[:1]] * 3
    assert not children()


def test_o03_a_crash_is_no_reason_to_ask_for_more_again(hosted: Hosted) -> None:
    engine = hosted("oom_torch@1; segfault@20000msx1")
    assert heard(engine, WINDOWS[0]) == STEPS[:1]
    with pytest.raises(EngineFailed, match="SIGSEGV"):
        engine.transcribe(AUDIO, WINDOWS[1], REQUEST, lambda _: None)
    assert heard(engine, WINDOWS[1]) == STEPS[:1]


@texts
def test_o03_a_diarizer_goes_the_same_way(text: str, tmp_path: Path) -> None:
    script = Script.parse(f"{text}@1; counter={tmp_path / 'counter'}")
    engine = HostedDiarizationEngine(ScriptedDiarizer(script), Hosting())
    request = DiarizationRequest(speech=WINDOWS, hints=SpeakerHints())
    try:
        diarization = engine.diarize(AUDIO, request, lambda _: None)
    finally:
        engine.close()
    assert diarization.degraded == STEPS[:1]
    assert diarization.turns == ScriptedDiarizer().diarize(AUDIO, request, lambda _: None).turns


async def test_o03_the_result_names_what_was_done_with_less(tmp_path: Path) -> None:
    """One window of several, and the diarizer: both stages are degraded, with the reason; the task is done."""
    asr = HostedTranscriptionEngine(
        ScriptedEngine(Script.parse(f"oom_ctranslate2@2; counter={tmp_path / 'a'}")), Hosting()
    )
    diarizer = HostedDiarizationEngine(
        ScriptedDiarizer(Script.parse(f"oom_torch@1; counter={tmp_path / 'd'}")), Hosting()
    )
    work = tmp_path / "work"
    work.mkdir()
    installation = Installation(work, engine=asr, diarizer=diarizer)
    try:
        task = await installation.run()
        assert (task.status, task.attempt, task.strikes) == (TaskStatus.DONE, 1, 0)
        stages = {stage.name: stage for stage in (await installation.transcript(task)).stages}
    finally:
        asr.close()
        diarizer.close()
    for name in (StageName.RECOGNITION, StageName.DIARIZATION):
        assert (stages[name].status, stages[name].reason) == (StageStatus.DEGRADED, STEPS[0])


async def test_o03_what_no_step_helps_is_queued_again_and_not_lost(tmp_path: Path) -> None:
    """The first attempt walks down in vain; the second finds the memory free, and begins where the first one was."""
    script = Script.parse(f"oom_torch@2; oom_torch@3; oom_torch@4; counter={tmp_path / 'counter'}")
    asr = HostedTranscriptionEngine(ScriptedEngine(script), Hosting())
    work = tmp_path / "work"
    work.mkdir()
    installation = Installation(work, engine=asr)
    try:
        task = await installation.run()
        assert (task.status, task.strikes) == (TaskStatus.QUEUED, 1)
        task = await installation.again(task)
    finally:
        asr.close()
    assert task.status is TaskStatus.DONE
    stages = {stage.name: stage for stage in (await installation.transcript(task)).stages}
    assert stages[StageName.RECOGNITION].status is StageStatus.RAN
    assert "from an earlier attempt" in stages[StageName.RECOGNITION].reason
