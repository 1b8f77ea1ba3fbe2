"""The use cases around one in-memory store, for any engines, with a clock that can be put forward between attempts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from adapters.events.in_process import InProcessEvents
from adapters.media.av import AvDecoder
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.storage.memory import MemoryBlobStore
from adapters.system import SystemClock, Uuid7Factory
from adapters.voice_activity.silero import SileroVad
from application.diarize import Diarize
from application.get_result import GetResult
from application.ports.asr import TranscriptionEngine
from application.ports.diarization import DiarizationEngine
from application.ports.voice_activity import VoiceActivityDetector
from application.process_task import ProcessTask
from application.query_tasks import QueryTasks
from application.recognise import Recognise
from application.second_look import SecondLook
from application.submit_transcription import Submission, SubmitTranscription
from application.transcribe_media import MediaLimits, TranscribeMedia
from domain.options import TranscriptionOptions
from domain.task import OwnerId, Task
from domain.transcript import Transcript
from tests.recordings import CONVERSATION

OWNER = OwnerId(UUID(int=7))


class PutForward(SystemClock):
    """The machine's clock, and `ahead` on top of it."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class Installation:
    """One worker over stores in memory."""

    work: Path
    engine: TranscriptionEngine = field(default_factory=ScriptedEngine)
    diarizer: DiarizationEngine = field(default_factory=ScriptedDiarizer)
    vad: VoiceActivityDetector = field(default_factory=SileroVad)
    longest: int = 5_000
    second_look: bool = True

    def __post_init__(self) -> None:
        self.clock = PutForward()
        self.database = MemoryDatabase(self.clock)
        self.blobs = MemoryBlobStore()

    def new_uow(self) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(self.database)

    async def run(self, media: Path = CONVERSATION, options: TranscriptionOptions | None = None) -> Task:
        """Submit a recording and make the first attempt."""
        submit = SubmitTranscription(
            new_uow=self.new_uow, blobs=self.blobs, queue=InProcessQueue(), ids=Uuid7Factory(), asr=self.engine,
            diarizer=self.diarizer, absent_models={},
        )  # fmt: skip
        copy = self.work / f"upload{media.suffix}"
        copy.write_bytes(media.read_bytes())
        submission = Submission(owner=OWNER, options=options or TranscriptionOptions(), filename=media.name)
        return await self._attempt(await submit(submission, copy))

    async def again(self, task: Task) -> Task:
        """Make the next attempt, as soon as the task is due."""
        self.clock.ahead += max(timedelta(), task.run_after - self.clock.now())
        return await self._attempt(task)

    async def transcript(self, task: Task) -> Transcript:
        return await GetResult(new_uow=self.new_uow, blobs=self.blobs)(OWNER, task.id)

    async def _attempt(self, task: Task) -> Task:
        transcribe = TranscribeMedia(
            blobs=self.blobs,
            decoder=AvDecoder(),
            recognise=Recognise(vad=self.vad, asr=self.engine, longest=self.longest, clock=self.clock),
            diarize=Diarize(by_voice=self.diarizer, by_channel=self.diarizer, clock=self.clock),
            second_look=SecondLook(engine=self.diarizer, enabled=self.second_look, clock=self.clock),
            work_dir=self.work,
            limits=MediaLimits(max_duration=600_000, max_memory=1 << 30, max_seconds=60.0),
            clock=self.clock,
        )
        process = ProcessTask(
            new_uow=self.new_uow, blobs=self.blobs, events=InProcessEvents(), clock=self.clock, transcribe=transcribe,
            worker="w",
        )  # fmt: skip
        await process(task.id)
        return (await QueryTasks(new_uow=self.new_uow).one(OWNER, task.id)).task
