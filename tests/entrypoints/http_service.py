"""The API over memory and a folder, in this process or served by uvicorn in a child; nobody works on its tasks."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpx
import uvicorn
from litestar import Litestar

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.storage.filesystem import FilesystemBlobStore
from adapters.system import SystemClock, Uuid7Factory
from application.admit_caller import AdmitCaller
from application.cancel_task import CancelTask
from application.delete_task import DeleteTask
from application.get_result import GetResult
from application.list_models import ListModels, ShelvedModel
from application.manage_api_keys import ManageApiKeys
from application.ports.asr import EngineCapabilities
from application.ports.persistence import UnitOfWork
from application.query_tasks import QueryTasks
from application.rendering.transcript_codec import encode_transcript
from application.submit_transcription import SubmitTranscription
from domain.media import MediaFacts
from domain.span import Span
from domain.task import Task, TaskError, TaskId, transcript_key
from domain.transcript import Segment, Transcript, Word
from entrypoints.http.app import ApiDependencies, create_app
from entrypoints.http.limits import HttpLimits
from entrypoints.http.server import listen, uvicorn_config
from infrastructure.log_config import configure_logging
from infrastructure.settings import Log

MAX_UPLOAD = 524_288_000


class AbleEngine(ScriptedEngine):
    """Takes every option, so that each can be tried."""

    def capabilities(self) -> EngineCapabilities:
        return replace(super().capabilities(), initial_prompt=True, hotwords=True, translation=True)


class Api:
    """The use cases over one folder, and the application that drives them."""

    def __init__(self, folder: Path, *, max_upload: int = MAX_UPLOAD) -> None:
        self.clock = SystemClock()
        self.database = MemoryDatabase(self.clock)
        self.blobs = FilesystemBlobStore(folder / "blobs")
        self.queue = InProcessQueue()
        self.spool = folder / "spool"
        self.spool.mkdir(parents=True, mode=0o700)
        self.health: Callable[[], Mapping[str, str]] = lambda: {"database": "ok", "storage": "ok"}
        self.shelf: list[ShelvedModel] = []
        self.memory: set[tuple[str, str]] = set()
        ids = Uuid7Factory()
        self.keys = ManageApiKeys(new_uow=self.new_uow, clock=self.clock, ids=ids)
        self.dependencies = ApiDependencies(
            admit_caller=AdmitCaller(new_uow=self.new_uow, clock=self.clock),
            submit=SubmitTranscription(
                new_uow=self.new_uow,
                blobs=self.blobs,
                queue=self.queue,
                ids=ids,
                asr=AbleEngine(),
                diarizer=ScriptedDiarizer(),
                absent_models={"large": "its weights are not here"},
            ),
            tasks=QueryTasks(new_uow=self.new_uow),
            result=GetResult(new_uow=self.new_uow, blobs=self.blobs),
            cancel=CancelTask(new_uow=self.new_uow),
            delete=DeleteTask(new_uow=self.new_uow, blobs=self.blobs),
            models=ListModels(
                asr=AbleEngine(), diarizer=ScriptedDiarizer(), shelf=lambda: self.shelf, in_memory=lambda: self.memory
            ),
            probe=self._probe,
        )
        self.limits = HttpLimits(spool_dir=self.spool, max_upload_bytes=max_upload)

    def new_uow(self) -> UnitOfWork:
        return MemoryUnitOfWork(self.database)

    def app(self) -> Litestar:
        return create_app(self.dependencies, self.limits)

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
def served(folder: Path, *, max_upload: int = MAX_UPLOAD) -> Iterator[Server]:
    """Run the API in a child process; it is gone when the context ends."""
    command = [sys.executable, "-m", "tests.entrypoints.http_service", str(folder), str(max_upload)]
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


async def _serve(folder: Path, max_upload: int) -> None:
    configure_logging(Log())  # to stderr: nobody reads stdout beyond its first line
    api = Api(folder, max_upload=max_upload)
    secrets = [(await api.keys.issue(name))[1] for name in ("first", "second")]
    with listen("127.0.0.1", 0) as listener:
        sys.stdout.write(" ".join([str(listener.getsockname()[1]), *secrets]) + "\n")
        sys.stdout.flush()
        await uvicorn.Server(uvicorn_config(api.app())).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
