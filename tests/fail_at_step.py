"""Failing at step k, for every k: a run over stores of which the k-th step breaks or kills the process.

A step is an SQL statement, a commit, a piece of file work, a call of the memory store or of the queue. It fails before
it has any effect or after all of it. What the caller was told is written down outside, so that it survives a kill.

As a program it runs a scenario in a fresh process for each k, kills that at its k-th step, and prints what a restart
makes of it.
"""

import asyncio
import errno
import inspect
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from adapters.persistence import sql
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.sql import SqlUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scripted.engine import ScriptedEngine
from adapters.storage import filesystem
from adapters.storage.filesystem import FilesystemBlobStore
from adapters.storage.memory import MemoryBlobStore
from application import hold
from application.cancel_task import CancelTask
from application.delete_task import DeleteTask
from application.erase import Erase, FinishErasures
from application.ports.media import MediaDecoder
from application.ports.persistence import UnitOfWork
from application.ports.system import ProgressSink
from application.ports.voice_activity import VoiceActivityDetector
from application.rendering.transcript_codec import decode_transcript
from application.sweep import Sweep
from domain.attempts import Outcome
from domain.media import DecodedAudio, DecodedMedia, DecodeLimits, MediaFacts
from domain.span import Span
from domain.task import Task, TaskId, TaskStatus
from domain.transcript import Recognition
from infrastructure.database import connect, migrate
from tests.application.installation import OWNER, Installation

DURATION = 3_000
WINDOW = 1_000
RECORDING = b"a recording" * 1_000


class Broken(Exception):
    """What nobody foresaw."""


class Steps:
    """Counts steps, and breaks the one it is told to: `before` its effect or after, by raising or by dying."""

    def __init__(self, at: int = 0, *, before: bool = True, kill: bool = False) -> None:
        self.taken = 0
        self.broke = ""
        self._at = at
        self._before = before
        self._kill = kill

    async def take(self, name: str, step: Callable[[], Awaitable[Any]]) -> Any:
        """Take a step."""
        self.taken += 1
        breaks = self.taken == self._at
        if breaks and self._before:
            self._break(name)
        result = await step()
        if breaks:
            self._break(name)
        return result

    def _break(self, name: str) -> None:
        self.broke = name
        if self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("file"):
            raise OSError(errno.EIO, f"step {self.taken} broke: {name}")
        raise Broken(f"step {self.taken} broke: {name}")


class Stepping:
    """A store, a queue or a repository of which each call is a step."""

    def __init__(self, inner: object, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def step(*args: Any, **kwargs: Any) -> Any:
            return await self._steps.take(f"{type(self._inner).__name__}.{name}", lambda: method(*args, **kwargs))

        return step


class SteppingMemoryUnitOfWork(MemoryUnitOfWork):
    """In memory, with each call of a repository and each commit as a step."""

    def __init__(self, database: MemoryDatabase, steps: Steps) -> None:
        super().__init__(database)
        self._steps = steps

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        for name, repository in list(vars(self).items()):
            if not name.startswith("_"):
                setattr(self, name, Stepping(repository, self._steps))
        return self

    async def commit(self) -> None:
        await self._steps.take("commit", super().commit)


@contextmanager
def stepping_below(steps: Steps) -> Iterator[None]:
    """Make steps of SQL statements, commits, and the work on files."""
    run, commit, in_thread = sql._Transaction.run, sql._Transaction.commit, filesystem._in_thread

    async def stepping_run(self: Any, statement: Any, values: Any = None) -> Any:
        return await steps.take(f"sql {str(statement)[:40]}", lambda: run(self, statement, values))

    async def stepping_commit(self: Any) -> None:
        await steps.take("sql commit", lambda: commit(self))

    async def stepping_thread(step: Any, *args: Any, **kwargs: Any) -> Any:
        return await steps.take(f"file {getattr(step, '__name__', step)}", lambda: in_thread(step, *args, **kwargs))

    sql._Transaction.run, sql._Transaction.commit = stepping_run, stepping_commit  # type: ignore[method-assign] # undone
    filesystem._in_thread = stepping_thread  # undone
    try:
        yield
    finally:
        sql._Transaction.run, sql._Transaction.commit = run, commit  # type: ignore[method-assign] # as it was
        filesystem._in_thread = in_thread


class QuietDecoder(MediaDecoder):
    """Gives silence for anything, without a process of its own."""

    def decode(self, source: Path, into: Path, limits: DecodeLimits, on_progress: ProgressSink) -> DecodedMedia:
        del source, limits
        (into / "mix").write_bytes(bytes(DURATION * 32))
        on_progress(1.0)
        facts = MediaFacts(
            container="wav", codec="pcm", sample_rate=16_000, channels=1, declared=DURATION, decoded=DURATION
        )
        return DecodedMedia(mix=DecodedAudio(path=into / "mix", duration=DURATION), channels=(), facts=facts)


class HalfSpoken(VoiceActivityDetector):
    """Hears speech in half of each second."""

    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        on_progress(1.0)
        return tuple(Span(start, start + 500) for start in range(0, audio.duration, 1_000))


class InTheMidst(ScriptedEngine):
    """Has `act` awaited by the loop in its second window, then works on until a sink stops it."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], Awaitable[None]] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._calls = 0

    def transcribe(self, audio: DecodedAudio, *args: Any) -> Recognition:
        self._calls += 1
        if self._calls == 2 and self.act is not None and self.loop is not None:
            act, self.act = self.act, None
            asyncio.run_coroutine_threadsafe(act(), self.loop).result()  # type: ignore[arg-type] # it is a coroutine
            for _ in range(100):
                args[-1](0.5)
                time.sleep(0.02)
        return super().transcribe(audio, *args)


@dataclass(frozen=True)
class Told:
    """What callers were told, line by line in a file: it survives whoever was told."""

    path: Path

    def note(self, what: str, task: UUID) -> None:
        with self.path.open("a", encoding="ascii") as file:
            file.write(f"{what} {task}\n")

    def of(self, what: str) -> set[UUID]:
        lines = self.path.read_text(encoding="ascii").split("\n") if self.path.exists() else []
        return {UUID(line.partition(" ")[2]) for line in lines if line.startswith(f"{what} ")}


class Trial(Installation):
    """An installation in a folder of its own whose steps can fail; `engine` is None for stores in memory."""

    def __init__(self, folder: Path, engine: AsyncEngine | None, steps: Steps) -> None:
        work = folder / "work"
        work.mkdir(exist_ok=True)
        self.asr = InTheMidst()
        super().__init__(work, engine=self.asr, decoder=QuietDecoder(), vad=HalfSpoken(), longest=WINDOW)
        self.told = Told(folder / "told")
        self.steps = steps
        self.sql = engine
        self.stored = FilesystemBlobStore(folder / "blobs") if engine else MemoryBlobStore()
        self.blobs = self.stored if engine else Stepping(self.stored, steps)
        self.queue = Stepping(InProcessQueue(), steps)

    def new_uow(self) -> UnitOfWork:
        if self.sql is not None:
            return SqlUnitOfWork(self.sql)
        return SteppingMemoryUnitOfWork(self.database, self.steps)

    def well_again(self) -> "Trial":
        """The same stores after a restart."""
        again = Trial(self.work.parent, self.sql, Steps())
        again.database, again.stored, again.clock = self.database, self.stored, self.clock
        again.blobs = self.stored
        return again

    async def hand_in(self) -> Task:
        upload = self.work.parent / "upload"
        upload.write_bytes(RECORDING)
        task = await self.submit(upload)
        self.told.note("accepted", task.id)
        return task

    async def cancel(self, task: Task) -> None:
        await CancelTask(new_uow=self.new_uow)(OWNER, task.id)
        self.told.note("cancelled", task.id)

    async def delete(self, task: Task) -> None:
        self.told.note("deleting", task.id)
        await DeleteTask(new_uow=self.new_uow, blobs=self.blobs)(OWNER, task.id)
        self.told.note("deleted", task.id)

    async def sweep(self, *, alone: bool = False) -> None:
        await Sweep(new_uow=self.new_uow, queue=self.queue)(alone=alone)

    async def time_passes(self) -> None:
        """Whatever waits is due, whatever is leased has run out."""
        self.clock.ahead += timedelta(hours=1)
        if self.sql is not None:
            async with SqlUnitOfWork(self.sql) as uow:
                await uow._transaction.run(text("UPDATE tasks SET run_after = created_at"))
                await uow._transaction.run(
                    text("UPDATE tasks SET lease_until = created_at WHERE lease_until IS NOT NULL")
                )
                await uow.commit()

    async def tasks(self) -> list[Task]:
        async with self.new_uow() as uow:
            return list(await uow.tasks.page(OWNER, before=None, limit=100))


async def complete(trial: Trial) -> None:
    await trial.process()((await trial.hand_in()).id)


async def cancel_queued(trial: Trial) -> None:
    task = await trial.hand_in()
    await trial.cancel(task)
    await trial.process()(task.id)


async def cancel_running(trial: Trial) -> None:
    task = await trial.hand_in()
    trial.asr.act, trial.asr.loop = lambda: trial.cancel(task), asyncio.get_running_loop()
    await trial.process()(task.id)


async def delete_done(trial: Trial) -> None:
    task = await trial.hand_in()
    await trial.process()(task.id)
    await trial.delete(task)


async def delete_running(trial: Trial) -> None:
    task = await trial.hand_in()
    trial.asr.act, trial.asr.loop = lambda: trial.delete(task), asyncio.get_running_loop()
    await trial.process()(task.id)


async def sweep_up(trial: Trial) -> None:
    """One waits, one was left by a worker that died, and a message names a task that never was."""
    waiting, left = await trial.hand_in(), await trial.hand_in()
    async with trial.new_uow() as uow:
        task = await uow.tasks.get(left.id)
        assert task is not None
        task.claim(worker="dead", now=await uow.tasks.now())
        await uow.tasks.save(task)
        await uow.commit()
    await trial.time_passes()
    await trial.sweep()
    for task_id in (left.id, waiting.id, TaskId(UUID(int=1))):
        await trial.process()(task_id)


SCENARIOS: dict[str, Callable[[Trial], Awaitable[None]]] = {
    run.__name__: run for run in (complete, cancel_queued, cancel_running, delete_done, delete_running, sweep_up)
}


async def attempt(trial: Trial, scenario: str) -> None:
    """Run the scenario as a caller and a worker that are told of errors, and have no other way to learn of them."""
    hold.LOOK_SECONDS = 0.05
    with stepping_below(trial.steps), suppress(Broken, OSError, AssertionError):
        await SCENARIOS[scenario](trial)


async def recover(broken: Trial) -> list[str]:
    """Restart, sweep and work until nothing moves; return what is wrong then."""
    trial = broken.well_again()
    shutil.rmtree(trial.work)  # as every start does
    trial.work.mkdir()
    await trial.sweep(alone=True)
    for _ in range(5):
        await trial.time_passes()
        await trial.sweep()
        for task in await trial.tasks():
            await trial.process()(task.id)
        erase = Erase(new_uow=trial.new_uow, blobs=trial.stored)
        await FinishErasures(new_uow=trial.new_uow, erase=erase, wipe=_nothing_to_wipe)()
    return [*await _judge(trial)]


async def _nothing_to_wipe() -> bool:
    return True


async def _judge(trial: Trial) -> list[str]:
    tasks = {task.id: task for task in await trial.tasks()}
    told = trial.told
    wrong = [
        f"{task_id} was accepted and is gone" for task_id in told.of("accepted") - tasks.keys() - told.of("deleting")
    ]
    wrong += [f"{task_id} was deleted and is there" for task_id in told.of("deleted") & tasks.keys()]
    keys = [key async for key in trial.stored.list("")]
    for task in tasks.values():
        wrong += [f"{task.status}: {problem}" for problem in await _problems(trial, task, keys)]
    for key in keys:
        owner = TaskId(UUID(key.split("/")[1]))
        if owner in told.of("deleted"):
            wrong.append(f"{key} outlived its task")
        data = b"".join([chunk async for chunk in trial.stored.open(key)])
        if key.startswith("media/") and data != RECORDING:
            wrong.append(f"{key} is not whole")
        elif key.startswith("transcripts/"):
            decode_transcript(data)
    wrong += [f"{path} is left" for path in trial.work.iterdir()]
    return wrong


async def _problems(trial: Trial, task: Task, keys: list[str]) -> list[str]:
    problems = [] if task.status.final else [f"it never ended: {task.attempts}"]
    completed = sum(past.outcome is Outcome.COMPLETED for past in task.attempts)
    if (task.status is TaskStatus.DONE) != (completed == 1 and task.revision == 1):
        problems.append(f"completed {completed} times, revision {task.revision}")
    if (task.status is TaskStatus.DONE) and f"transcripts/{task.id}/1.json" not in keys:
        problems.append("there is no transcript")
    if task.id in trial.told.of("cancelled") and task.status is not TaskStatus.CANCELLED:
        problems.append("it was cancelled")
    if task.status is TaskStatus.ERROR:
        problems.append(f"a fault that is not the recording's ended it: {task.error}")
    async with trial.new_uow() as uow:
        if task.status.final and (left := await uow.checkpoints.all(task.id)):
            problems.append(f"checkpoints are left: {sorted(left)}")
    return problems


def prepared(folder: Path) -> str:
    """A fresh database in the folder; made once and copied, as the migrations take longer than a run."""
    folder.mkdir(parents=True)
    template = folder.parent / "template.sqlite3"
    if not template.exists():
        migrate(f"sqlite+aiosqlite:///{template}")
    shutil.copy(template, folder / "db.sqlite3")
    return f"sqlite+aiosqlite:///{folder / 'db.sqlite3'}"


async def in_process(folder: Path, scenario: str, steps: Steps, *, on_disk: bool) -> list[str]:
    """Run one scenario with one broken step, and recover; the log of it would be long, and takes its time."""
    with capture_logs():
        return await _in_process(folder, scenario, steps, on_disk=on_disk)


async def _in_process(folder: Path, scenario: str, steps: Steps, *, on_disk: bool) -> list[str]:
    engine = connect(prepared(folder)) if on_disk else None
    folder.mkdir(exist_ok=True)
    try:
        trial = Trial(folder, engine, steps)
        await attempt(trial, scenario)
        return await recover(trial)
    finally:
        if engine is not None:
            await engine.dispose()


def _in_a_process(work: Callable[[], Awaitable[None]]) -> int:
    """Run `work` in a fork; return its exit status, negative for a signal."""
    if (pid := os.fork()) == 0:
        try:
            asyncio.run(work())  # type: ignore[arg-type] # it is a coroutine
        except BaseException as error:  # noqa: BLE001 - told by the status, and here
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _kills(folder: Path, scenario: str, stride: int) -> Iterator[dict[str, Any]]:
    """Kill a process at every `stride`-th step, until one lives to the end of the scenario."""
    killed, at = True, 1
    while killed:
        for before in (True, False):
            trial_folder = folder / f"{scenario}-{at}-{before}"
            url = prepared(trial_folder)

            async def die(url: str = url, here: Path = trial_folder, before: bool = before) -> None:  # noqa: FBT001
                engine = connect(url)
                await attempt(Trial(here, engine, Steps(at, before=before, kill=True)), scenario)  # noqa: B023
                await engine.dispose()

            async def live(url: str = url, here: Path = trial_folder) -> None:
                engine = connect(url)
                trial = Trial(here, engine, Steps())
                (here / "verdict").write_text(json.dumps(await recover(trial)))
                await engine.dispose()

            killed = _in_a_process(die) == -signal.SIGKILL
            status = _in_a_process(live)
            verdict = (trial_folder / "verdict").read_text() if status == 0 else f'["the restart failed: {status}"]'
            yield {"at": at, "before": before, "killed": killed, "wrong": json.loads(verdict)}
            shutil.rmtree(trial_folder)
        at += stride


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for outcome in _kills(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])):
        sys.stdout.write(f"{json.dumps(outcome)}\n")
        sys.stdout.flush()
