"""Kill, hang, segfault and want of memory in each engine's child: what becomes of the job, and that the next one runs.

The engines, their children and the faults are real; the use case runs over stores in memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.asr.faster_whisper import FasterWhisperEngine
from adapters.asr.pocketsphinx import PocketSphinxEngine
from adapters.diarization.acoustic import AcousticDiarizer
from adapters.diarization.executor.engine import ExecutorOptions, PyannoteOnnxDiarizer
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine, HostedVoiceActivityDetector
from adapters.hosting.policy import Hosting
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from adapters.voice_activity.silero import SileroVad
from domain.stage import StageName, StageStatus
from domain.task import TaskStatus
from tests.adapters.processes import children
from tests.application.installation import Installation
from tests.faults import FAULTS, Hosted, StruckDetector, StruckDiarizer, StruckRecogniser, assert_struck
from tests.recordings import looped

WHISPER, EXECUTOR = (Path(__file__).parents[1] / "data" / name for name in ("small-whisper", "small-executor"))
SLOW = Script.parse("sleep:0.3; leak:40")
HOSTING = Hosting(threads=1, stall_seconds=1.0)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60), pytest.mark.parametrize("code", FAULTS)]


def whisper() -> FasterWhisperEngine:
    return FasterWhisperEngine(models_dir=WHISPER.parent, model=str(WHISPER), device="cpu", threads=1)


def executor() -> PyannoteOnnxDiarizer:
    return PyannoteOnnxDiarizer(ExecutorOptions(model=str(EXECUTOR), models_dir=EXECUTOR))


def scripted() -> ScriptedEngine:
    return ScriptedEngine(SLOW)


def scripted_diarizer() -> ScriptedDiarizer:
    return ScriptedDiarizer(SLOW)


@pytest.fixture
def hosted() -> Iterator[Callable[[Hosted], Any]]:
    """Closes what it is given, and sees that no process is left."""
    opened: list[Hosted] = []

    def remember(engine: Hosted) -> Hosted:
        opened.append(engine)
        return engine

    yield remember
    for engine in opened:
        engine.close()
    assert not children()


async def two_attempts_and_a_job(installation: Installation, recording: Path, code: str) -> None:
    """The first attempt fails with the code and is repeated; or it was done with less, and says so."""
    with capture_logs() as log:
        task = await installation.run(recording)
    if task.status is TaskStatus.QUEUED:
        assert task.strikes == 1
        codes = [line["code"] for line in log if line["event"] == "attempt_failed"]
        assert codes == ["worker_crashed" if code == "segfault" else code]
        task = await installation.again(task)
        assert task.attempt == 2
    else:
        assert code == "out_of_memory"
        stages = {stage.name: stage.status for stage in (await installation.transcript(task)).stages}
        assert stages[StageName.RECOGNITION] is StageStatus.DEGRADED
    assert task.status is TaskStatus.DONE
    assert (await installation.run(recording)).status is TaskStatus.DONE, "the next job runs"


async def test_the_voice_activity_detectors_child(code: str, hosted: Callable[[Hosted], Any], tmp_path: Path) -> None:
    detector = StruckDetector(hosted(HostedVoiceActivityDetector(SileroVad(), HOSTING)))
    detector.fault = FAULTS[code]
    recording = looped(tmp_path / "long.wav", 30)
    await two_attempts_and_a_job(Installation(tmp_path, vad=detector), recording, code)
    assert_struck(detector)


@pytest.mark.parametrize(("engine", "seconds"), [(whisper, 10), (PocketSphinxEngine, 3), (scripted, 6)])
async def test_a_recognisers_child(
    code: str, engine: Callable[[], Any], seconds: int, hosted: Callable[[Hosted], Any], tmp_path: Path
) -> None:
    recogniser = StruckRecogniser(hosted(HostedTranscriptionEngine(engine(), HOSTING)))
    recogniser.fault = FAULTS[code]
    recording = looped(tmp_path / "long.wav", seconds)
    await two_attempts_and_a_job(Installation(tmp_path, engine=recogniser), recording, code)
    assert_struck(recogniser)


@pytest.mark.parametrize(("engine", "seconds"), [(AcousticDiarizer, 10), (executor, 10), (scripted_diarizer, 6)])
async def test_a_diarizers_child(
    code: str, engine: Callable[[], Any], seconds: int, hosted: Callable[[Hosted], Any], tmp_path: Path
) -> None:
    """It is tried once more within the attempt: the words need not wait for it."""
    diarizer = StruckDiarizer(hosted(HostedDiarizationEngine(engine(), HOSTING)))
    diarizer.fault = FAULTS[code]
    recording = looped(tmp_path / "long.wav", seconds)
    installation = Installation(tmp_path, diarizer=diarizer)
    task = await installation.run(recording)
    assert_struck(diarizer)
    assert (task.status, task.attempt, task.strikes) == (TaskStatus.DONE, 1, 0)
    stages = {stage.name: stage for stage in (await installation.transcript(task)).stages}
    assert stages[StageName.DIARIZATION].status in {StageStatus.RAN, StageStatus.DEGRADED}
    assert (await installation.run(recording)).status is TaskStatus.DONE, "the next job runs"
