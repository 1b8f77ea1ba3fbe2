"""R-22: whatever happens to tasks, in any order, their lives hold: driven at random over memory and over SQLite.

The use cases are the real ones. Workers are played: they may crash, sleep through their leases and come back, be slow
between two writes, and the clock may jump.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.cipher import AesGcmCipher
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.sql import SqlUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.storage.memory import MemoryBlobStore
from adapters.system import SystemClock, Uuid7Factory
from application.admit_task import AdmitTask
from application.cancel_task import CancelTask
from application.change_task import change_task
from application.claim_task import ClaimTask
from application.delete_task import DeleteTask
from application.ports.persistence import UnitOfWork
from application.retry_task import RetryTask
from application.revise_task import ReviseTask
from application.secret_urls import SecretUrls
from application.stage_upload import StageUpload
from application.submission import Submission
from application.submit_transcription import SubmitTranscription
from application.sweep import Sweep
from domain.backoff import after_failure
from domain.errors import LeaseLost, QueueFull, TaskNotFound, WrongState
from domain.options import TranscriptionOptions
from domain.task import (
    MAX_CRASHES,
    MAX_STRIKES,
    OwnerId,
    Phase,
    Task,
    TaskError,
    TaskId,
    TaskStatus,
    transcript_key,
)
from domain.turns import AGEING
from infrastructure.database import connect, migrate

LIVES = int(os.environ.get("COLLOQUY_TEST_LIVES", "12"))  # noqa: TID251 - 500 for a release
STEPS = 50 if LIVES >= 500 else 30
OWNERS = [OwnerId(UUID(int=number)) for number in (1, 2, 3)]
MOST_QUEUED = 8
T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """What a worker believes that it holds; `written` when it has stored a transcript and not yet said so."""

    task: TaskId
    token: int
    written: bool = False


class PutForward(SystemClock):
    """The machine's clock, and `ahead` on top of it."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class Lives(RuleBasedStateMachine):
    """A queue, three owners and any number of workers; a subclass says over which database."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = PutForward()
        self.blobs = MemoryBlobStore()
        self.held: list[Held] = []
        self.seen: dict[TaskId, Task] = {}
        self.claims: dict[TaskId, int] = {}
        self.gone: set[TaskId] = set()
        self.late_writes: set[TaskId] = set()
        self.open()
        queue, ids = InProcessQueue(), Uuid7Factory()
        admit = AdmitTask(new_uow=self.new_uow, most=MOST_QUEUED, most_of_owner=MOST_QUEUED - 2)
        self.submitting = SubmitTranscription(
            new_uow=self.new_uow, blobs=self.blobs, stage=StageUpload(new_uow=self.new_uow, blobs=self.blobs),
            queue=queue, ids=ids, asr=ScriptedEngine(), diarizer=ScriptedDiarizer(), absent_models={}, admit=admit,
            urls=SecretUrls(AesGcmCipher(lambda: b"k" * 32)),
        )  # fmt: skip
        self.claiming = ClaimTask(new_uow=self.new_uow, worker="played")
        self.sweeping = Sweep(new_uow=self.new_uow, queue=queue)
        self.cancelling = CancelTask(new_uow=self.new_uow)
        self.deleting = DeleteTask(new_uow=self.new_uow, blobs=self.blobs)
        revise = ReviseTask(new_uow=self.new_uow, admit=admit, queue=queue, ids=ids, diarizer=ScriptedDiarizer())
        self.retrying = RetryTask(
            new_uow=self.new_uow, admit=admit, queue=queue, ids=ids, check=self.submitting.check, revise=revise
        )

    def open(self) -> None:
        raise NotImplementedError

    def new_uow(self) -> UnitOfWork:
        raise NotImplementedError

    def do(self, step: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await step

        return self.runner.run(awaited())

    def teardown(self) -> None:
        self.runner.close()

    @initialize()
    def begin(self) -> None:
        """Have something to do and somebody who does it, so that no life is empty."""
        for owner in OWNERS:
            self.submit(owner=owner, priority=0)
        self.every_life_holds()
        for _ in range(2):
            self.claim()
            self.every_life_holds()

    # What callers do.

    @rule(owner=st.sampled_from(OWNERS), priority=st.sampled_from([0, 0, 3]))
    def submit(self, owner: OwnerId, priority: int) -> None:
        async def media() -> AsyncIterator[bytes]:
            yield b"sound"

        waiting = [task for task in self.seen.values() if task.status is TaskStatus.QUEUED]
        own = sum(task.owner == owner for task in waiting)
        submission = Submission(owner=owner, options=TranscriptionOptions(), filename="a", priority=priority)
        try:
            self.do(self.submitting(submission, media()))
        except QueueFull:
            assert len(waiting) >= MOST_QUEUED or own >= MOST_QUEUED - 2
        else:
            assert len(waiting) < MOST_QUEUED
            assert own < MOST_QUEUED - 2

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(list(self.seen.values())))
        try:
            after = self.do(self.cancelling(task.owner, task.id))
        except WrongState:
            assert task.status in {TaskStatus.DONE, TaskStatus.ERROR}
        else:
            assert after.status is TaskStatus.CANCELLED or after.cancel_requested

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(list(self.seen.values())))
        self.do(self.deleting(task.owner, task.id))
        self.gone.add(task.id)

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(list(self.seen.values())))
        try:
            again = self.do(self.retrying(task.owner, task.id, force=True))
        except WrongState:
            assert task.status not in {TaskStatus.ERROR, TaskStatus.CANCELLED}
        except QueueFull:
            assert sum(each.status is TaskStatus.QUEUED for each in self.seen.values()) >= MOST_QUEUED - 2
        else:
            assert (again.parent, again.media.key) == (task.id, task.media.key)

    @rule(owner=st.sampled_from(OWNERS))
    def submit_many(self, owner: OwnerId) -> None:
        for _ in range(MOST_QUEUED):
            self.submit(owner=owner, priority=0)
            self.every_life_holds()

    # What workers do.

    @rule()
    def claim(self) -> None:
        before = dict(self.seen)
        now = self.clock.now()
        task = self.do(self.claiming.next())
        due = [each for each in before.values() if each.status is TaskStatus.QUEUED and each.run_after <= now]
        if task is None:
            assert due == []
            return
        self.held.append(Held(task.id, task.token))
        self.claims[task.id] = self.claims.get(task.id, 0) + 1
        was = before[task.id]
        line = [each for each in due if (each.owner, each.priority) == (was.owner, was.priority)]
        assert all((each.run_after, each.id) >= (was.run_after, was.id) for each in line), "the oldest of its line"
        highest = max((each.priority for each in due), default=was.priority)
        if was.priority < highest:
            rank = [each.run_after for each in due if each.priority == was.priority]
            assert self.clock.now() - min(rank) >= AGEING, "what is urgent goes first"

    @precondition(lambda self: self.held)
    @rule(data=st.data(), fraction=st.floats(-1, 2), eta=st.none() | st.integers(-99, 99_999))
    def report(self, data: st.DataObject, fraction: float, eta: int | None) -> None:
        held = self.draw(data)

        def progress(task: Task, now: datetime) -> None:
            task.renew(token=held.token, now=now)
            task.advance(
                token=held.token, phase=Phase.TRANSCRIBING, fraction=fraction, progress=fraction, eta_ms=eta, now=now
            )

        self.attempt(held, progress)
        self.every_life_holds()
        if held in self.held:
            fraction /= 2  # an engine that counts again from an earlier point
            self.attempt(held, progress)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), name=st.sampled_from("abc"))
    def checkpoint(self, data: st.DataObject, name: str) -> None:
        held = self.draw(data)

        async def put() -> None:
            async with self.new_uow() as uow:
                await uow.checkpoints.put(held.task, name, token=held.token, payload=b"heard")
                await uow.commit()

        holds = self.holds(held)
        try:
            self.do(put())
        except LeaseLost:
            assert not holds
            self.held.remove(held)
        else:
            assert holds
            self.attempt(held, lambda task, _: task.checkpointed(token=held.token))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def write_transcript(self, data: st.DataObject) -> None:
        """Store the bytes first, as every worker does once it has made sure of its lease."""
        held = self.draw(data)
        if self.attempt(held, lambda task, now: task.renew(token=held.token, now=now)):
            self.do(self.blobs.put(transcript_key(held.task, 1), chunks()))
            self.late_writes.add(held.task)
            self.held[self.held.index(held)] = Held(held.task, held.token, written=True)

    @precondition(lambda self: any(held.written for held in self.held))
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from([each for each in self.held if each.written]))
        self.attempt(
            held,
            lambda task, now: task.complete(token=held.token, now=now, language="en", duration=1_000, processing_ms=1),
            last=True,
        )

    @precondition(lambda self: self.held)
    @rule(data=st.data(), strike=st.booleans())
    def fail_for_now(self, data: st.DataObject, strike: bool) -> None:  # noqa: FBT001 - Hypothesis names it
        held, error = self.draw(data), TaskError("engine_failed", "played")

        def retry(task: Task, now: datetime) -> None:
            task.retry(token=held.token, error=error, delay=after_failure(task, error.code), now=now, strike=strike)

        self.attempt(held, retry, last=True)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        held = self.draw(data)
        error = TaskError("decode_failed", "played")
        self.attempt(held, lambda task, now: task.fail(token=held.token, error=error, now=now), last=True)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = self.draw(data)
        if self.attempt(held, lambda task, now: task.release(token=held.token, now=now), last=True):
            self.claims[held.task] -= 1

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def confirm_cancellation(self, data: st.DataObject) -> None:
        held = self.draw(data)
        if held.task in self.seen and self.seen[held.task].cancel_requested:
            self.attempt(held, lambda task, now: task.cancelled(token=held.token, now=now), last=True)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        self.held.remove(self.draw(data))

    # What time does.

    @rule(seconds=st.sampled_from([1, 10, 31, 90, 3_600]) | st.integers(-3_600, 3_600))
    def wait(self, seconds: int) -> None:
        """Let time pass, or the database's clock jump."""
        self.clock.ahead += timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        self.do(self.sweeping())

    @precondition(lambda self: self.held)
    @rule()
    def another_takes_over(self) -> None:
        """Have every lease run out; whoever held one goes on believing that it does."""
        self.clock.ahead += timedelta(minutes=2)
        self.do(self.sweeping())
        self.clock.ahead += timedelta(minutes=2)  # a crash puts its task back for a while
        self.every_life_holds()
        for _ in list(self.held):
            self.claim()
            self.every_life_holds()
        for held in [held for held in self.held if not self.holds(held)]:  # they wake, and know nothing of it
            self.attempt(held, lambda task, now, token=held.token: task.renew(token=token, now=now))  # type: ignore[misc]

    @invariant()
    def every_life_holds(self) -> None:
        now = {task.id: task for task in self.do(self.read())}
        keys = set(self.do(self.keys()))
        assert not self.gone & set(now), "what was deleted comes back"
        for task in now.values():
            self.hold_against(task, self.seen.get(task.id))
            if task.status is TaskStatus.DONE:
                assert transcript_key(task.id, task.revision) in keys, "done without a result"
            elif task.id not in self.late_writes:
                assert transcript_key(task.id, 1) not in keys, "a result without having been done"
            if task.media_purged_at is None:
                assert task.media.key in keys, "a task without its recording"
        self.seen = now

    def hold_against(self, task: Task, before: Task | None) -> None:
        assert (task.lease is not None) == (task.status is TaskStatus.PROCESSING), "one lease, while it is worked on"
        assert 0 <= task.attempt <= self.claims.get(task.id, 0)
        assert 0.0 <= task.progress <= 1.0
        assert task.eta_ms is None or task.eta_ms >= 0
        assert task.strikes < MAX_STRIKES or task.status is TaskStatus.ERROR
        assert task.crashes < MAX_CRASHES or task.status in {TaskStatus.ERROR, TaskStatus.CANCELLED}
        assert (task.finished_at is not None) == task.status.final
        assert (task.error is not None) == (task.status is TaskStatus.ERROR)
        if before is None:
            return
        assert task.token >= before.token
        assert task.version >= before.version
        if before.status.final:
            assert (task.status, task.finished_at, task.error, task.revision, task.attempt) == (
                before.status, before.finished_at, before.error, before.revision, before.attempt,
            ), "what has ended has ended"  # fmt: skip
        elif before.token == task.token and task.status is TaskStatus.PROCESSING:
            assert task.progress >= before.progress, "progress falls"

    def draw(self, data: st.DataObject) -> Held:
        return data.draw(st.sampled_from(self.held))

    def holds(self, held: Held) -> bool:
        task = self.seen.get(held.task)
        return task is not None and task.lease is not None and task.lease.token == held.token

    def attempt(self, held: Held, change: Callable[[Task, datetime], None], *, last: bool = False) -> bool:
        """Write as the holder; exactly those who hold the live lease may. Return whether it was taken."""
        holds = self.holds(held)
        try:
            self.do(change_task(self.new_uow, held.task, change))
        except (LeaseLost, TaskNotFound):
            assert not holds, "the live lease was refused"
            self.held.remove(held)
            return False
        assert holds, "a stale token was taken"
        if last:
            self.held.remove(held)
        return True

    async def read(self) -> list[Task]:
        async with self.new_uow() as uow:
            return [task for owner in OWNERS for task in await uow.tasks.page(owner, before=None, limit=999)]

    async def keys(self) -> list[str]:
        return [key async for key in self.blobs.list("")]


async def chunks() -> AsyncIterator[bytes]:
    yield b"{}"


class OverMemory(Lives):
    """In memory."""

    def open(self) -> None:
        self.memory = MemoryDatabase(self.clock)

    def new_uow(self) -> UnitOfWork:
        return MemoryUnitOfWork(self.memory)


class PutForwardUnit(SqlUnitOfWork):
    """A unit over a database whose clock is put forward."""

    clock: ClassVar[PutForward]

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        real = self.tasks.now

        async def now() -> datetime:
            return await real() + self.clock.ahead

        self.tasks.now = now  # type: ignore[method-assign]
        return self


class OverSqlite(Lives):
    """In SQLite; each life begins with a copy of one empty database."""

    empty: ClassVar[Path]

    def open(self) -> None:
        self.folder = tempfile.mkdtemp()
        path = shutil.copy(self.empty, self.folder)
        self.engine = connect(f"sqlite+aiosqlite:///{path}")
        clock = self.clock
        self.unit: Any = type("Unit", (PutForwardUnit,), {"clock": clock})

    def new_uow(self) -> UnitOfWork:
        unit: UnitOfWork = self.unit(self.engine)
        return unit

    def teardown(self) -> None:
        self.do(self.engine.dispose())
        super().teardown()
        shutil.rmtree(self.folder)


LIFE = settings(
    max_examples=LIVES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(60 + 5 * LIVES)
def test_r22_any_life_over_memory() -> None:
    OverMemory.TestCase.settings = LIFE
    OverMemory.TestCase().runTest()


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * LIVES)
def test_r22_any_life_over_sqlite(tmp_path: Path) -> None:
    OverSqlite.empty = tmp_path / "empty.sqlite3"
    migrate(f"sqlite+aiosqlite:///{OverSqlite.empty}")
    OverSqlite.TestCase.settings = LIFE
    OverSqlite.TestCase().runTest()
