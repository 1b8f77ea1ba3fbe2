"""The second look within an attempt at a task: scripted turns, and a diarizer that knows whose voice is where."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.scripted.diarizer import ScriptedDiarizer
from application.ports.diarization import DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from domain.errors import EngineFailed, Interrupted
from domain.media import DecodedAudio
from domain.options import TranscriptionOptions
from domain.span import Span
from domain.speaker import Diarization, SpeakerTurn
from domain.stage import Stage, StageName, StageStatus
from domain.task import TaskStatus
from domain.transcript import Transcript
from tests.application.installation import Installation

CENTROIDS = (("first", (1.0, 0.0)), ("second", (0.0, 1.0)))
"""One for each scripted speaker; the recording's halves are theirs."""


@dataclass
class HearsVoices(ScriptedDiarizer):
    """Takes everybody for the first speaker but for the last second, and hears the second in the whole second half."""

    centroids: tuple[tuple[str, tuple[float, ...]], ...] = CENTROIDS
    embeds: bool = True
    asked: list[Span] = field(default_factory=list)
    fault: Callable[[ProgressSink], None] | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def capabilities(self) -> DiarizerCapabilities:
        return DiarizerCapabilities(engine="hears", model="voices", embeds=self.embeds)

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        del request
        on_progress(1.0)
        end = audio.duration
        turns = (SpeakerTurn(Span(0, end - 1000), "first"), SpeakerTurn(Span(end - 1000, end), "second"))
        return Diarization(turns=turns, exclusive=turns, centroids=self.centroids)

    def embed(
        self, audio: DecodedAudio, spans: tuple[Span, ...], on_progress: ProgressSink
    ) -> tuple[tuple[float, ...] | None, ...]:
        self.asked += spans
        if self.fault:
            self.fault(on_progress)
        on_progress(1.0)
        half = audio.duration // 2
        return tuple(None if span.start <= half < span.end else (1.0, 0.0) if span.end <= half else (0.0, 1.0)
                     for span in spans)  # fmt: skip


async def transcribed(tmp_path: Path, diarizer: ScriptedDiarizer) -> tuple[Transcript, Stage]:
    installation = Installation(tmp_path, diarizer=diarizer)
    task = await installation.run()
    assert task.status is TaskStatus.DONE
    transcript = await installation.transcript(task)
    return transcript, next(stage for stage in transcript.stages if stage.name is StageName.SECOND_LOOK)


async def test_sentences_go_to_the_speaker_whose_voice_they_have_and_every_move_is_kept(tmp_path: Path) -> None:
    diarizer = HearsVoices()
    transcript, stage = await transcribed(tmp_path, diarizer)
    assert (stage.status, stage.engine, stage.model, stage.reason) == (StageStatus.RAN, "hears", "voices", "")
    assert [name.name for name in transcript.stages] == list(StageName)
    half = transcript.media.decoded // 2
    looked_at = [span for span in diarizer.asked if span.start > half]
    assert looked_at
    for span in looked_at:
        assert {word.speaker for word in transcript.words if word.span.overlap(span)} == {"spk_2"}
        assert any(move.span.overlap(span) for move in transcript.moves)
    assert {(move.before, move.after) for move in transcript.moves} == {("spk_1", "spk_2")}
    assert all(move.margin == pytest.approx(1.0) for move in transcript.moves)
    assert {word.speaker for word in transcript.words if word.span.end < half - 2000} == {"spk_1"}


@pytest.mark.parametrize(
    ("diarizer", "reason"),
    [
        (ScriptedDiarizer(), "the diarizer gives no voices to compare"),
        (HearsVoices(centroids=CENTROIDS[:1]), "there are no two voices to choose from"),
    ],
)
async def test_where_it_cannot_run_it_says_why(tmp_path: Path, diarizer: ScriptedDiarizer, reason: str) -> None:
    transcript, stage = await transcribed(tmp_path, diarizer)
    assert (stage.status, stage.reason, transcript.moves) == (StageStatus.SKIPPED, reason, ())


async def test_a_setting_turns_it_off(tmp_path: Path) -> None:
    diarizer = HearsVoices()
    installation = Installation(tmp_path, diarizer=diarizer, second_look=False)
    transcript = await installation.transcript(await installation.run())
    (stage,) = (stage for stage in transcript.stages if stage.name is StageName.SECOND_LOOK)
    assert (stage.status, stage.reason, diarizer.asked) == (StageStatus.SKIPPED, "it is turned off", [])


async def test_it_ends_when_its_time_is_up_and_says_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diarizer = HearsVoices()
    installation = Installation(tmp_path, diarizer=diarizer)
    monkeypatch.setattr("application.second_look._BATCH", 1)
    monkeypatch.setattr(installation.clock, "monotonic", lambda: time.monotonic() + 20 * len(diarizer.asked))
    transcript = await installation.transcript(await installation.run())
    (stage,) = (stage for stage in transcript.stages if stage.name is StageName.SECOND_LOOK)
    assert (stage.status, len(diarizer.asked)) == (StageStatus.DEGRADED, 1)
    assert stage.reason.startswith("time was up after 1 of ")


async def test_without_diarization_it_was_not_asked_for(tmp_path: Path) -> None:
    installation = Installation(tmp_path, diarizer=HearsVoices())
    transcript = await installation.transcript(await installation.run(options=TranscriptionOptions(diarization=False)))
    assert StageName.SECOND_LOOK not in [stage.name for stage in transcript.stages]


async def test_a_failed_look_leaves_the_words_as_they_were_and_is_a_warning(tmp_path: Path) -> None:
    def fail(_: ProgressSink) -> None:
        raise EngineFailed("the engine's process died", code="worker_crashed")

    transcript, stage = await transcribed(tmp_path, HearsVoices(fault=fail))
    assert stage.status is StageStatus.FAILED
    assert "died" in stage.reason
    assert transcript.words
    assert transcript.moves == ()
    assert "second_look_failed" in [notice.code for notice in transcript.warnings]


async def test_it_stops_when_the_work_is_stopped(tmp_path: Path) -> None:
    def interrupted(_: ProgressSink) -> None:
        raise Interrupted("the work was stopped: cancelled")

    installation = Installation(tmp_path, diarizer=HearsVoices(fault=interrupted))
    task = await installation.run()
    assert task.status is not TaskStatus.DONE
