"""Kill, hang, segfault and want of memory in the children of the extras' engines: the job's end, and the next job."""

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.asr.sherpa import SherpaOnnxEngine
from adapters.diarization.pyannote import PyannoteDiarizer
from adapters.diarization.pyannote_options import PyannoteOptions
from adapters.diarization.sherpa import SherpaOnnxDiarizer
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from application.ports.asr import TranscriptionEngine
from application.ports.diarization import DiarizationEngine
from domain.stage import StageName, StageStatus
from domain.task import TaskStatus
from tests.adapters.processes import children
from tests.application.installation import Installation
from tests.engines.pipelines import build_pipeline
from tests.engines.sherpa_weights import build_ctc, build_diarization
from tests.faults import FAULTS, StruckDiarizer, StruckRecogniser, assert_struck
from tests.recordings import looped

HOSTING = Hosting(threads=1, stall_seconds=5.0)
SECONDS = 10

pytestmark = [pytest.mark.timeout(180), pytest.mark.parametrize("code", FAULTS)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    build_pipeline(folder / "ours", "community-1", mel_bins=8, step=0.5)
    build_diarization(folder / "voices")
    (build_ctc(folder / "ctc") / "languages.json").write_text('["en"]', encoding="utf-8")
    return folder


def pyannote(models: Path) -> DiarizationEngine:
    return PyannoteDiarizer(PyannoteOptions(models_dir=models, model="ours", device="cpu"))


def sherpa(models: Path) -> DiarizationEngine:
    return SherpaOnnxDiarizer(models_dir=models, model="voices")


def sherpa_asr(models: Path) -> TranscriptionEngine:
    return SherpaOnnxEngine(models_dir=models, model="ctc")


@pytest.mark.parametrize("engine", [pyannote, sherpa])
async def test_a_diarizers_child(
    code: str, engine: Callable[[Path], DiarizationEngine], models: Path, tmp_path: Path
) -> None:
    """It is tried once more within the attempt, or with less; the words need not wait for it."""
    hosted = HostedDiarizationEngine(engine(models), HOSTING)
    diarizer = StruckDiarizer(hosted)
    diarizer.fault = FAULTS[code]
    recording = looped(tmp_path / "long.wav", SECONDS)
    installation = Installation(tmp_path, diarizer=diarizer)
    try:
        task = await installation.run(recording)
        assert_struck(diarizer)
        assert (task.status, task.attempt, task.strikes) == (TaskStatus.DONE, 1, 0)
        stages = {stage.name: stage for stage in (await installation.transcript(task)).stages}
        ended = StageStatus.DEGRADED if code == "out_of_memory" else StageStatus.RAN
        assert stages[StageName.DIARIZATION].status is ended
        assert (await installation.run(recording)).status is TaskStatus.DONE, "the next job runs"
    finally:
        hosted.close()
    assert not children()


async def test_a_recognisers_child(code: str, models: Path, tmp_path: Path) -> None:
    hosted = HostedTranscriptionEngine(sherpa_asr(models), HOSTING)
    recogniser = StruckRecogniser(hosted)
    recogniser.fault = FAULTS[code]
    recording = looped(tmp_path / "long.wav", SECONDS)
    installation = Installation(tmp_path, engine=recogniser)
    try:
        task = await installation.run(recording)
        assert_struck(recogniser)
        assert (task.status, task.strikes) == (TaskStatus.QUEUED, 1)
        task = await installation.again(task)
        assert (task.status, task.attempt) == (TaskStatus.DONE, 2)
        assert (await installation.run(recording)).status is TaskStatus.DONE, "the next job runs"
    finally:
        hosted.close()
    assert not children()
