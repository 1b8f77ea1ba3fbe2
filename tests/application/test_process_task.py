"""One attempt at a task with the real decoder and detector, scripted engines, and stores in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest

from adapters.cipher import AesGcmCipher
from adapters.events.in_process import InProcessEvents
from adapters.media.av import AvDecoder
from adapters.observability.null import NullMetrics
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from adapters.storage.memory import MemoryBlobStore
from adapters.system import SystemClock, Uuid7Factory
from adapters.voice_activity.silero import SileroVad
from application.admit_task import AdmitTask
from application.decode_media import DecodeMedia, MediaLimits
from application.diarize import Diarize
from application.fetch_voices import FetchVoices
from application.get_result import GetResult
from application.ports.diarization import DiarizationEngine
from application.process_task import ProcessTask
from application.query_tasks import QueryTasks
from application.recognise import Recognise
from application.second_look import SecondLook
from application.secret_urls import SecretUrls
from application.stage_upload import StageUpload
from application.submission import Submission
from application.submit_transcription import SubmitTranscription
from application.transcribe_media import TranscribeMedia
from domain.errors import EngineFailed, EngineUnavailable, InvalidOptions, ModelNotFound
from domain.media import ChannelMode
from domain.options import TranscriptionOptions
from domain.speaker import Diarization
from domain.stage import StageName, StageStatus
from domain.task import OwnerId, Task, TaskStatus, media_key
from domain.transcript import Transcript
from tests.recordings import CONVERSATION

OWNER = OwnerId(UUID(int=7))


class FailingDiarizer(ScriptedDiarizer):
    """Fails as engines behind the port do."""

    def diarize(self, *_: object) -> Diarization:
        raise EngineFailed("the engine's process died", code="worker_crashed")


@dataclass
class Installation:
    """The use cases around one in-memory store, with engines that follow a script."""

    work: Path
    asr: str = ""
    diarizer: DiarizationEngine = field(default_factory=ScriptedDiarizer)
    database: MemoryDatabase = field(default_factory=lambda: MemoryDatabase(SystemClock()))
    blobs: MemoryBlobStore = field(default_factory=MemoryBlobStore)

    def new_uow(self) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(self.database)

    def submit(self) -> SubmitTranscription:
        return SubmitTranscription(
            new_uow=self.new_uow, blobs=self.blobs, queue=InProcessQueue(), ids=Uuid7Factory(), asr=ScriptedEngine(),
            diarizer=self.diarizer, absent_models={"large-v3": "its weights are not here"},
            stage=StageUpload(new_uow=self.new_uow, blobs=self.blobs),
            admit=AdmitTask(new_uow=self.new_uow, most=99, most_of_owner=99),
            urls=SecretUrls(AesGcmCipher(lambda: b"k" * 32)),
        )  # fmt: skip

    def process(self) -> ProcessTask:
        clock = SystemClock()
        asr = ScriptedEngine(Script.parse(self.asr))
        limits = MediaLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=60.0)
        decoder = AvDecoder()
        voices = FetchVoices(new_uow=self.new_uow, blobs=self.blobs, decoder=decoder)
        decode = DecodeMedia(
            blobs=self.blobs, decoder=decoder, voices=voices, work_dir=self.work, limits=limits, clock=clock
        )
        transcribe = TranscribeMedia(
            decode=decode,
            recognise=Recognise(vad=SileroVad(), asr=asr, longest=5_000, clock=clock),
            diarize=Diarize(by_voice=self.diarizer, by_channel=self.diarizer, clock=clock),
            second_look=SecondLook(engine=self.diarizer, enabled=True, clock=clock),
            clock=clock,
        )
        return ProcessTask(
            new_uow=self.new_uow,
            blobs=self.blobs,
            events=InProcessEvents(),
            clock=clock,
            metrics=NullMetrics(),
            transcribe=transcribe,
            worker="w",
        )

    async def run(self, options: TranscriptionOptions | None = None, media: Path = CONVERSATION) -> Task:
        submission = Submission(owner=OWNER, options=options or TranscriptionOptions(), filename=media.name)
        copy = self.work / "upload"
        copy.write_bytes(media.read_bytes())
        task = await self.submit()(submission, copy)
        await self.process()(task.id)
        return (await QueryTasks(new_uow=self.new_uow).one(OWNER, task.id)).task

    async def transcript(self, task: Task) -> Transcript:
        return await GetResult(new_uow=self.new_uow, blobs=self.blobs)(OWNER, task.id)


async def test_a_recording_becomes_a_transcript_and_leaves_nothing_else(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    task = await installation.run()
    assert (task.status, task.attempt, task.revision, task.lease) == (TaskStatus.DONE, 1, 1, None)
    transcript = await installation.transcript(task)
    assert transcript.segments
    assert [stage.name for stage in transcript.stages] == list(StageName)
    ran = {stage.name for stage in transcript.stages if stage.status is StageStatus.RAN}
    assert ran == {*StageName} - {StageName.SECOND_LOOK}, "the scripted diarizer gives no voices"
    assert task.duration == transcript.media.decoded
    assert not list(tmp_path.iterdir()), "the working folder is empty again"
    async with installation.new_uow() as uow:
        assert await uow.checkpoints.all(task.id) == {}


async def test_a_failed_diarization_still_gives_the_words_and_says_so(tmp_path: Path) -> None:
    installation = Installation(tmp_path, diarizer=FailingDiarizer())
    task = await installation.run()
    assert task.status is TaskStatus.DONE
    transcript = await installation.transcript(task)
    stages = {stage.name: stage for stage in transcript.stages}
    assert stages[StageName.DIARIZATION].status is StageStatus.FAILED
    assert stages[StageName.ATTRIBUTION].status is StageStatus.SKIPPED
    assert "diarization_failed" in [notice.code for notice in transcript.warnings]
    assert transcript.words
    assert {word.speaker for word in transcript.words} == {None}


async def test_a_recogniser_that_fails_puts_the_task_back_for_another_attempt(tmp_path: Path) -> None:
    installation = Installation(tmp_path, asr="raise@2")
    task = await installation.run()
    assert (task.status, task.strikes, task.lease) == (TaskStatus.QUEUED, 1, None)
    assert task.run_after > task.created_at
    async with installation.new_uow() as uow:
        kept = await uow.checkpoints.all(task.id)
    assert {name.partition("/")[0] for name in kept} >= {"speech", "window"}, "the first window is kept"


async def test_what_cannot_be_decoded_ends_in_error_at_once(tmp_path: Path) -> None:
    task = await Installation(tmp_path).run(media=Path(__file__))
    assert task.status is TaskStatus.ERROR
    assert task.error is not None
    assert task.error.code == "not_media"


async def test_a_task_is_claimed_once(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    task = await installation.run()
    await installation.process()(task.id)
    again = (await QueryTasks(new_uow=installation.new_uow).one(OWNER, task.id)).task
    assert again == task


async def test_channels_that_cannot_be_split_are_mixed_with_a_warning(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    task = await installation.run(TranscriptionOptions(channels=ChannelMode.SPLIT))
    assert "channels_mixed" in [notice.code for notice in (await installation.transcript(task)).warnings]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (lambda: TranscriptionOptions(model="nobody's"), ModelNotFound),
        (lambda: TranscriptionOptions(model="large-v3"), EngineUnavailable),
        (lambda: TranscriptionOptions(initial_prompt="Dear all"), InvalidOptions),
        (lambda: TranscriptionOptions(hotwords=("Zürich",)), InvalidOptions),
    ],
)
async def test_what_the_engines_cannot_do_is_refused_before_anything_is_stored(
    options: Callable[[], TranscriptionOptions], error: type[Exception], tmp_path: Path
) -> None:
    installation = Installation(tmp_path)
    with pytest.raises(error):
        await installation.run(options())
    assert [key async for key in installation.blobs.list("")] == []


async def test_a_task_deleted_while_it_ran_comes_back_in_no_form(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    submission = Submission(owner=OWNER, options=TranscriptionOptions(), filename="x")
    copy = tmp_path / "upload"
    copy.write_bytes(CONVERSATION.read_bytes())
    task = await installation.submit()(submission, copy)
    process = installation.process()
    transcribe = process._transcribe

    async def deleting(hold: object) -> Transcript:
        transcript = await transcribe(hold)  # type: ignore[arg-type] # the very hold that it was given
        async with installation.new_uow() as uow:
            await uow.tasks.delete(task.id)
            await uow.commit()
        return replace(transcript)

    process._transcribe = deleting  # deletes between the work and its end
    await process(task.id)
    assert [key async for key in installation.blobs.list("") if key != media_key(task.id)] == []
