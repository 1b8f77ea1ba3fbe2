"""The API over memory and a folder, in this process or served by uvicorn in a child; nobody works on its tasks."""

import asyncio
import contextlib
import json
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn
from litestar import Litestar

from adapters.cipher import AesGcmCipher
from adapters.egress import Egress
from adapters.events.in_process import InProcessEvents
from adapters.observability.null import NullMetrics
from adapters.observability.prometheus import PrometheusMetrics
from adapters.passwords import Argon2Passwords
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.storage.filesystem import FilesystemBlobStore
from adapters.storage.growing_files import LocalGrowingFiles
from adapters.storage.no_direct_access import NoDirectAccess
from adapters.system import SystemClock, Uuid7Factory
from adapters.tokens import JwtTokens
from adapters.webhooks.httpx_sender import HttpxWebhookSender
from application.admit_caller import AdmitCaller
from application.admit_task import AdmitTask
from application.announce_upload import AnnounceUpload
from application.audit import Notes
from application.begin_resumable import BeginResumable
from application.cancel_task import CancelTask
from application.delete_clip import DeleteClip
from application.delete_task import DeleteTask, QueryDeletions
from application.deliver_webhook import DeliverWebhook
from application.edit_speakers import EditSpeakers
from application.encoded_result import EncodedResult
from application.finish_resumable import FinishResumable
from application.follow_segments import FollowSegments
from application.follow_task import FollowTask
from application.get_media import GetMedia
from application.get_result import GetResult
from application.label_task import LabelTask
from application.lend_token import LendToken
from application.list_models import ListModels, ShelvedModel
from application.list_revisions import ListRevisions
from application.log_in import LogIn, LogOut
from application.manage_api_keys import ManageApiKeys
from application.manage_webhooks import ManageWebhooks
from application.ports.asr import EngineCapabilities
from application.ports.persistence import UnitOfWork
from application.query_audit import QueryAudit
from application.query_batches import EndBatch, QueryBatches
from application.query_clips import QueryClips
from application.query_tasks import QueryTasks
from application.query_usage import QueryUsage
from application.register_user import ChangePassword, RegisterUser
from application.rendering.transcript_codec import encode_transcript
from application.replay_deliveries import ReplayDeliveries
from application.resume_upload import ResumeUpload
from application.retry_task import RetryTask
from application.revise_task import ReviseTask
from application.secret_urls import SecretUrls
from application.stage_upload import StageUpload
from application.store_clip import StoreClip
from application.submit_batch import SubmitBatch
from application.submit_transcription import SubmitTranscription
from domain.egress import EgressPolicy
from domain.media import MediaFacts
from domain.options import TranscriptionOptions
from domain.quota import UNLIMITED
from domain.span import Span
from domain.task import Task, TaskError, TaskId, transcript_key
from domain.transcript import Segment, Transcript, Word
from entrypoints.http.app import ApiDependencies, create_app
from entrypoints.http.ending import Ending
from entrypoints.http.limits import HttpLimits
from entrypoints.http.server import listen, uvicorn_config
from infrastructure.log_config import configure_logging
from infrastructure.log_settings import Log

MAX_UPLOAD = 524_288_000


class AbleEngine(ScriptedEngine):
    """Takes every option, so that each can be tried."""

    def capabilities(self) -> EngineCapabilities:
        return replace(super().capabilities(), initial_prompt=True, hotwords=True, translation=True)


class Api:
    """The use cases over one folder, and the application that drives them."""

    most_queued = 9_999, 999
    """Tasks that may wait: everybody's, and an owner's."""
    quota = UNLIMITED
    anonymous = False
    signing_key = secrets.token_bytes(32)

    def __init__(self, folder: Path, *, max_upload: int = MAX_UPLOAD, **limits: float) -> None:
        self.clock = SystemClock()
        self.ending = Ending()
        self.database = MemoryDatabase(self.clock)
        self.metrics = PrometheusMetrics("test")
        self.blobs = FilesystemBlobStore(folder / "blobs")
        self.queue = InProcessQueue()
        self.spool = folder / "spool"
        self.spool.mkdir(parents=True, mode=0o700)
        resumable = folder / "blobs" / ".resumable"
        resumable.mkdir(parents=True, mode=0o700)
        self.growing = LocalGrowingFiles(resumable)
        self.health: Callable[[], Mapping[str, str]] = lambda: {"database": "ok", "storage": "ok"}
        self.shelf: list[ShelvedModel] = []
        self.memory: set[tuple[str, str]] = set()
        self.notes = Notes(new_uow=self.new_uow)
        ids = Uuid7Factory()
        self.passwords = Argon2Passwords()
        self.keys = ManageApiKeys(new_uow=self.new_uow, clock=self.clock, ids=ids)
        self.stage = StageUpload(new_uow=self.new_uow, blobs=self.blobs)
        diarizer, result = ScriptedDiarizer(), GetResult(new_uow=self.new_uow, blobs=self.blobs)
        follow = FollowTask(new_uow=self.new_uow, events=InProcessEvents())
        most, own = self.most_queued
        admit = AdmitTask(new_uow=self.new_uow, most=most, most_of_owner=own, quota=self.quota)
        revise = ReviseTask(new_uow=self.new_uow, admit=admit, queue=self.queue, ids=ids, diarizer=diarizer)
        key = secrets.token_bytes(32)
        submit = SubmitTranscription(
            new_uow=self.new_uow,
            blobs=self.blobs,
            stage=self.stage,
            queue=self.queue,
            ids=ids,
            asr=AbleEngine(),
            diarizer=ScriptedDiarizer(),
            absent_models={"large": "its weights are not here"},
            admit=admit,
            urls=SecretUrls(AesGcmCipher(lambda: key)),
        )
        self.dependencies = ApiDependencies(
            submit=submit,
            **self._batches(submit),
            tasks=QueryTasks(new_uow=self.new_uow),
            label=LabelTask(new_uow=self.new_uow),
            follow=follow,
            segments=FollowSegments(follow=follow, result=result, new_uow=self.new_uow),
            result=result,
            encoded=EncodedResult(new_uow=self.new_uow, blobs=self.blobs, result=result, release="test"),
            cancel=CancelTask(new_uow=self.new_uow),
            delete=DeleteTask(new_uow=self.new_uow, blobs=self.blobs),
            deletions=QueryDeletions(new_uow=self.new_uow),
            announce=AnnounceUpload(new_uow=self.new_uow, direct=NoDirectAccess(), ids=ids, largest=max_upload),
            stage=self.stage,
            begin_resumable=BeginResumable(new_uow=self.new_uow, ids=ids, largest=max_upload),
            resume_upload=ResumeUpload(
                new_uow=self.new_uow,
                files=self.growing,
                finish=FinishResumable(new_uow=self.new_uow, blobs=self.blobs),
                largest=max_upload,
            ),
            store_clip=StoreClip(
                new_uow=self.new_uow, blobs=self.blobs, stage=self.stage, admit=admit, ids=ids, kept=None
            ),
            clips=QueryClips(new_uow=self.new_uow),
            delete_clip=DeleteClip(new_uow=self.new_uow, blobs=self.blobs),
            media=GetMedia(new_uow=self.new_uow, blobs=self.blobs, direct=NoDirectAccess()),
            retry=RetryTask(
                new_uow=self.new_uow, admit=admit, queue=self.queue, ids=ids, check=self._check, revise=revise
            ),
            revise=revise,
            revisions=ListRevisions(new_uow=self.new_uow, blobs=self.blobs),
            speakers=EditSpeakers(new_uow=self.new_uow, result=result),
            **self._callers(),
            **self._webhooks(),
            models=ListModels(
                asr=AbleEngine(), diarizer=ScriptedDiarizer(), shelf=lambda: self.shelf, in_memory=lambda: self.memory
            ),
            audit=QueryAudit(new_uow=self.new_uow),
            notes=self.notes,
            usage=QueryUsage(new_uow=self.new_uow, quota=self.quota),
            probe=self._probe,
            metrics=self.metrics,
            numbers=self._numbers,
        )
        self.limits = HttpLimits(spool_dir=self.spool, max_upload_bytes=max_upload, **limits)

    def _batches(self, submit: SubmitTranscription) -> dict[str, Any]:
        cancel, delete = CancelTask(new_uow=self.new_uow), DeleteTask(new_uow=self.new_uow, blobs=self.blobs)
        return {
            "submit_batch": SubmitBatch(new_uow=self.new_uow, submit=submit, ids=Uuid7Factory()),
            "batches": QueryBatches(new_uow=self.new_uow),
            "end_batch": EndBatch(new_uow=self.new_uow, cancel=cancel, delete=delete),
        }

    def _webhooks(self) -> dict[str, Any]:
        """Webhooks may go to loopback and unencrypted, where a test may listen."""
        key = secrets.token_bytes(32)
        self.cipher = AesGcmCipher(lambda: key)
        self.sender = HttpxWebhookSender(Egress(EgressPolicy.allowing(["127.0.0.0/8"])), allow_http=True)
        ids = Uuid7Factory()
        return {
            "webhooks": ManageWebhooks(
                new_uow=self.new_uow, sender=self.sender, cipher=self.cipher, ids=ids, clock=self.clock
            ),
            "replays": ReplayDeliveries(new_uow=self.new_uow, queue=self.queue, ids=ids),
        }

    def deliverer(self) -> DeliverWebhook:
        """What sends webhooks."""
        return DeliverWebhook(
            new_uow=self.new_uow, sender=self.sender, cipher=self.cipher, jitter=lambda: 0.5, metrics=NullMetrics()
        )  # fmt: skip

    def _check(self, options: TranscriptionOptions) -> None:
        self.dependencies.submit.check(options)

    def _callers(self) -> dict[str, Any]:
        tokens = JwtTokens(lambda: self.signing_key)
        parts: dict[str, Any] = {"new_uow": self.new_uow, "clock": self.clock}
        made = {**parts, "ids": Uuid7Factory(), "passwords": self.passwords}
        return {
            "admit_caller": AdmitCaller(**parts, tokens=tokens, anonymous=self.anonymous),
            "keys": self.keys,
            "register": RegisterUser(**made, open_to_all=True),
            "log_in": LogIn(**made, tokens=tokens),
            "log_out": LogOut(**parts),
            "change_password": ChangePassword(**parts, passwords=self.passwords),
            "lend": LendToken(clock=self.clock, ids=Uuid7Factory(), tokens=tokens),
        }

    def new_uow(self) -> UnitOfWork:
        return MemoryUnitOfWork(self.database)

    def app(self) -> Litestar:
        return create_app(self.dependencies, self.limits, self.ending)

    def client(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        """Return a client of a new application over these use cases, in this event loop and without a socket."""
        app = cast("Callable[..., Awaitable[None]]", self.app())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    async def issue_key(self, name: str = "test") -> dict[str, str]:
        """Return the headers of a caller whom the API has not seen before."""
        _, secret = await self.keys.issue(name)
        return {"Authorization": f"Bearer {secret}"}

    async def claim(self, task_id: TaskId) -> Task:
        """Begin the task as a worker would."""
        async with self.new_uow() as uow:
            task = await self._read(uow, task_id)
            task.claim(worker="test", now=await uow.tasks.now() + timedelta(seconds=1))
            await self._write(uow, task)
        return task

    async def finish(self, task_id: TaskId, transcript: Transcript) -> None:
        """Run the task to its good end."""
        task = await self.claim(task_id)

        async def chunks() -> AsyncIterator[bytes]:
            yield encode_transcript(transcript)

        await self.blobs.put(transcript_key(task_id, 1), chunks())
        async with self.new_uow() as uow:
            now = await uow.tasks.now()
            task.complete(token=task.token, now=now, language="en", duration=transcript.media.decoded, processing_ms=9)
            await self._write(uow, task)

    async def fail(self, task_id: TaskId, error: TaskError) -> None:
        """Run the task to a bad end."""
        task = await self.claim(task_id)
        async with self.new_uow() as uow:
            task.fail(token=task.token, error=error, now=await uow.tasks.now())
            await self._write(uow, task)

    async def task(self, task_id: TaskId) -> Task | None:
        async with self.new_uow() as uow:
            return await uow.tasks.get(task_id)

    def spooled(self) -> list[Path]:
        return list(self.spool.iterdir())

    async def _probe(self) -> Mapping[str, str]:
        return self.health()

    async def _numbers(self) -> bytes:
        return self.metrics.text()

    @staticmethod
    async def _read(uow: UnitOfWork, task_id: TaskId) -> Task:
        task = await uow.tasks.get(task_id)
        assert task is not None
        return task

    @staticmethod
    async def _write(uow: UnitOfWork, task: Task) -> None:
        await uow.tasks.save(task)
        await uow.commit()


def a_transcript(task_id: TaskId, *, segments: int = 2, words: int = 4) -> Transcript:
    """One speaker after another, half a second a word."""
    made = []
    for number in range(segments):
        begin = number * words * 500
        spoken = tuple(
            Word(
                span=Span(begin + i * 500, begin + i * 500 + 400),
                text=f"word{number}x{i}",
                confidence=0.9,
                speaker=f"spk_{number % 2 + 1}",
            )
            for i in range(words)
        )
        span = Span(begin, begin + words * 500)
        text = " ".join(word.text for word in spoken)
        made.append(Segment(span=span, text=text, words=spoken, speaker=f"spk_{number % 2 + 1}"))
    end = segments * words * 500
    facts = MediaFacts(container="wav", codec="pcm", sample_rate=16_000, channels=1, declared=end, decoded=end)
    return Transcript(
        task_id=str(task_id), revision=1, language="en", model="scripted", media=facts, segments=tuple(made)
    )


@dataclass(frozen=True)
class Server:
    """A server in a child process. `headers` are those of two callers who do not know of each other."""

    pid: int
    port: int
    headers: tuple[dict[str, str], dict[str, str]]
    spool: Path

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def memory(self, name: str) -> int:
        """Return a figure of /proc/PID/status in bytes: VmRSS, or VmHWM, its peak."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(name)

    def reset_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")


@contextlib.contextmanager
def served(folder: Path, *, max_upload: int = MAX_UPLOAD, **limits: float) -> Iterator[Server]:
    """Run the API in a child process; it is gone when the context ends. `limits` are those of `HttpLimits`."""
    command = [sys.executable, "-m", "tests.entrypoints.http_service", str(folder), str(max_upload), json.dumps(limits)]
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as child,
    ):
        try:
            assert child.stdout is not None
            port, *secrets = child.stdout.readline().split()
            first, second = ({"Authorization": f"Bearer {secret}"} for secret in secrets)
            yield Server(child.pid, int(port), (first, second), folder / "spool")
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


async def _serve(folder: Path, max_upload: int, limits: dict[str, float]) -> None:
    configure_logging(Log())  # to stderr: nobody reads stdout beyond its first line
    api = Api(folder, max_upload=max_upload, **limits)
    secrets = [(await api.keys.issue(name))[1] for name in ("first", "second")]
    with listen("127.0.0.1", 0) as listener:
        sys.stdout.write(" ".join([str(listener.getsockname()[1]), *secrets]) + "\n")
        sys.stdout.flush()
        await uvicorn.Server(uvicorn_config(api.app(), api.limits)).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))
