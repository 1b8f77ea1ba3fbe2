"""The use cases around one in-memory store, for any engines, with a clock that can be put forward between attempts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from adapters.cipher import AesGcmCipher
from adapters.egress import Egress
from adapters.events.in_process import InProcessEvents
from adapters.fetching.http import HttpFetcher
from adapters.media.av import AvDecoder
from adapters.observability.null import NullMetrics
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.storage.memory import MemoryBlobStore
from adapters.system import SystemClock, Uuid7Factory
from adapters.voice_activity.silero import SileroVad
from application.admit_task import AdmitTask
from application.collect_recording import CollectRecording
from application.decode_media import DecodeMedia, MediaLimits
from application.diarize import Diarize
from application.fetch_voices import FetchVoices
from application.get_result import GetResult
from application.make_transcript import MakeTranscript
from application.ports.asr import TranscriptionEngine
from application.ports.blobs import BlobStore
from application.ports.diarization import DiarizationEngine
from application.ports.media import MediaDecoder
from application.ports.media_fetch import MediaFetcher
from application.ports.persistence import UnitOfWork
from application.ports.queue import TaskQueue
from application.ports.voice_activity import VoiceActivityDetector
from application.process_task import ProcessTask
from application.query_tasks import QueryTasks
from application.recognise import Recognise
from application.revise_transcript import ReviseTranscript
from application.second_look import SecondLook
from application.secret_urls import SecretUrls
from application.stage_upload import StageUpload
from application.submission import Submission
from application.submit_transcription import SubmitTranscription
from application.transcribe_media import TranscribeMedia
from domain.egress import EgressPolicy
from domain.fetching import FetchLimits, MediaUrl
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
    decoder: MediaDecoder = field(default_factory=AvDecoder)
    longest: int = 5_000
    second_look: bool = True
    fetcher: MediaFetcher = field(default_factory=lambda: HttpFetcher(Egress(EgressPolicy())))

    def __post_init__(self) -> None:
        self.clock = PutForward()
        self.database = MemoryDatabase(self.clock)
        self.blobs: BlobStore = MemoryBlobStore()
        self.queue: TaskQueue = InProcessQueue()
        self.urls = SecretUrls(AesGcmCipher(lambda: b"k" * 32))
        self.admit = AdmitTask(new_uow=self.new_uow, most=99, most_of_owner=99)

    def new_uow(self) -> UnitOfWork:
        return MemoryUnitOfWork(self.database)

    async def run(self, media: Path = CONVERSATION, options: TranscriptionOptions | None = None) -> Task:
        """Submit a recording and make the first attempt."""
        return await self._attempt(await self.submit(media, options))

    async def submit(self, media: Path | MediaUrl = CONVERSATION, options: TranscriptionOptions | None = None) -> Task:
        """Submit a recording."""
        submit = SubmitTranscription(
            new_uow=self.new_uow, blobs=self.blobs, queue=self.queue, ids=Uuid7Factory(), asr=self.engine,
            diarizer=self.diarizer, absent_models={},
            admit=self.admit,
            urls=self.urls,
            stage=StageUpload(new_uow=self.new_uow, blobs=self.blobs),
        )  # fmt: skip
        if isinstance(media, MediaUrl):
            asked = Submission(owner=OWNER, options=options or TranscriptionOptions(), filename="")
            return await submit(asked, media)
        copy = self.work / f"upload{media.suffix}"
        copy.write_bytes(media.read_bytes())
        submission = Submission(owner=OWNER, options=options or TranscriptionOptions(), filename=media.name)
        return await submit(submission, copy)

    async def again(self, task: Task) -> Task:
        """Make the next attempt, as soon as the task is due."""
        self.clock.ahead += max(timedelta(), task.run_after - self.clock.now())
        return await self._attempt(task)

    async def transcript(self, task: Task) -> Transcript:
        return await GetResult(new_uow=self.new_uow, blobs=self.blobs)(OWNER, task.id)

    async def _attempt(self, task: Task) -> Task:
        await self.process()(task.id)
        return (await QueryTasks(new_uow=self.new_uow).one(OWNER, task.id)).task

    def collect(self) -> CollectRecording:
        """What fetches recordings by URL."""
        limits = FetchLimits(max_bytes=1 << 24, max_duration=600_000, max_seconds=60.0)
        return CollectRecording(
            new_uow=self.new_uow, blobs=self.blobs, fetcher=self.fetcher, work_dir=self.work, limits=limits,
            urls=self.urls,
        )  # fmt: skip

    def process(self) -> ProcessTask:
        """A worker."""
        limits = MediaLimits(max_duration=600_000, max_memory=1 << 30, max_seconds=60.0)
        voices = FetchVoices(new_uow=self.new_uow, blobs=self.blobs, decoder=self.decoder)
        decode = DecodeMedia(
            blobs=self.blobs, decoder=self.decoder, voices=voices, work_dir=self.work, limits=limits, clock=self.clock
        )
        recognise = Recognise(vad=self.vad, asr=self.engine, longest=self.longest, clock=self.clock)
        diarize = Diarize(by_voice=self.diarizer, by_channel=self.diarizer, clock=self.clock)
        second_look = SecondLook(engine=self.diarizer, enabled=self.second_look, clock=self.clock)
        transcribe = TranscribeMedia(
            decode=decode, recognise=recognise, diarize=diarize, second_look=second_look, clock=self.clock
        )
        revise = ReviseTranscript(
            new_uow=self.new_uow, blobs=self.blobs, decode=decode, recognise=recognise, diarize=diarize,
            second_look=second_look, clock=self.clock,
        )  # fmt: skip
        return ProcessTask(
            new_uow=self.new_uow, blobs=self.blobs, events=InProcessEvents(), clock=self.clock,
            metrics=NullMetrics(), worker="w",
            transcribe=MakeTranscript(collect=self.collect(), transcribe=transcribe, revise=revise),
        )  # fmt: skip
