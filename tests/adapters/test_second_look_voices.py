"""The second look with the voices of a real network: the small exported pipeline in the repository, on ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.diarization.executor.engine import ExecutorOptions, PyannoteOnnxDiarizer
from application.ports.diarization import DiarizationRequest
from domain.options import TranscriptionOptions
from domain.span import Span, covered
from domain.speaker import Diarization, SpeakerHints, SpeakerTurn
from domain.stage import StageName, StageStatus
from tests.application.installation import Installation
from tests.bench.conversations import confused, laid_over, second_looks, share_wrong
from tests.conversations import Conversation, conversation

SMALL = Path(__file__).parents[1] / "data" / "small-executor"


@pytest.fixture(scope="module")
def engine() -> PyannoteOnnxDiarizer:
    return PyannoteOnnxDiarizer(ExecutorOptions(model=str(SMALL), models_dir=SMALL))


class NetworkVoices:
    """What the engine hears in a conversation, its centroids named as the true speakers are."""

    def __init__(self, engine: PyannoteOnnxDiarizer, told: Conversation) -> None:
        self._engine, self._told = engine, told
        request = DiarizationRequest(speech=told.speech, hints=SpeakerHints(exact=3))
        found = engine.diarize(told.audio, request, lambda _: None)
        self._centroids = {_named(found, label, told): centroid for label, centroid in found.centroids}

    def of(self, *spans: Span) -> tuple[float, ...]:
        (voice,) = self._engine.embed(self._told.audio, spans, lambda _: None)
        assert voice is not None
        return voice

    def centroids(self, _: Sequence[SpeakerTurn]) -> dict[str, tuple[float, ...]]:
        return self._centroids


def _named(found: Diarization, label: str, told: Conversation) -> str:
    """Who it is that the diarizer calls so: the speaker that most of its turns' time is of."""
    spans = [turn.span for turn in found.turns if turn.speaker == label]
    shares = {
        name: sum(covered([turn.span.clamp(span) for span in spans]) for turn in told.turns if turn.speaker == name)
        for name in {turn.speaker for turn in told.turns}
    }
    return max(shares, key=shares.__getitem__)


@pytest.mark.parametrize("seed", [1, 3])
def test_a_real_networks_voices_put_right_what_a_diarizer_took_for_another(
    engine: PyannoteOnnxDiarizer, tmp_path: Path, seed: int
) -> None:
    told = conversation(tmp_path / "told.pcm", seconds=60, speakers=3, seed=seed)
    spoken = [one for line in laid_over(told.turns, seed) for one in line]
    voices = NetworkVoices(engine, told)
    assert sorted(voices.centroids(())) == ["0", "1", "2"]
    _, undisturbed, moves = second_looks(spoken, told.turns, voices)
    assert (share_wrong(spoken, undisturbed), moves) == (0, 0)
    before, after, moves = second_looks(spoken, confused(told.turns, seed, share=0.2), voices)
    assert share_wrong(spoken, before) >= 0.15
    assert share_wrong(spoken, after) <= 0.2 * share_wrong(spoken, before)
    assert moves


async def test_the_stage_runs_where_the_engine_has_voices(engine: PyannoteOnnxDiarizer, tmp_path: Path) -> None:
    installation = Installation(tmp_path, diarizer=engine)
    task = await installation.run(options=TranscriptionOptions(num_speakers=2))
    transcript = await installation.transcript(task)
    stage = next(stage for stage in transcript.stages if stage.name is StageName.SECOND_LOOK)
    assert (stage.status, stage.engine, stage.reason) == (StageStatus.RAN, "pyannote_onnx", "")
