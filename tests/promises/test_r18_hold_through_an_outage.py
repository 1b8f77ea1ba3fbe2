"""R-18 in an attempt: the database goes away; work goes on while the lease surely holds, and no longer.

Nothing here waits for real: the monotonic clock jumps. Real servers that go away are another test's.
"""

from collections.abc import AsyncIterable, Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest
from msgspec import json
from structlog.testing import capture_logs

from adapters.observability.null import NullMetrics
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.scripted.engine import ScriptedEngine
from adapters.storage.memory import MemoryBlobStore
from application.hold import Hold
from application.ports.blobs import BlobInfo
from application.ports.persistence import UnitOfWork
from domain.attempts import Outcome
from domain.errors import DatabaseUnavailable, LeaseLost, StorageUnavailable
from domain.media import DecodedAudio
from domain.stage import StageName
from domain.task import LEASE, Task, TaskStatus
from domain.transcript import Recognition
from tests.application.installation import Installation, PutForward

pytestmark = pytest.mark.timeout(60)
AWAY = DatabaseUnavailable("the database does not answer")


class Leaping(PutForward):
    """A clock whose monotonic side leaps too."""

    leapt = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leapt


class Outage:
    """What goes wrong with the database, until it is well again."""

    def __init__(self) -> None:
        self.refusals = 0
        self.lost_answers = 0
        self.loses_the_last = False

    def begin(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise AWAY

    def after_commit(self, *, ended: bool) -> None:
        if ended and self.loses_the_last:
            self.loses_the_last = False
            raise AWAY
        if self.lost_answers:
            self.lost_answers -= 1
            raise AWAY


class FlakyUnitOfWork(MemoryUnitOfWork):
    """Fails where a server that goes away does: at the beginning, or after the commit it could not confirm."""

    def __init__(self, database: MemoryDatabase, outage: Outage) -> None:
        super().__init__(database)
        self._outage = outage

    async def __aenter__(self) -> Self:
        self._outage.begin()
        await super().__aenter__()
        return self

    async def commit(self) -> None:
        await super().commit()
        ended = any(json.decode(row)["status"] == "done" for row in self._database.rows.tasks.values())
        self._outage.after_commit(ended=ended)


class FlakyBlobs(MemoryBlobStore):
    """Cannot be reached for the next `refusals` writes of transcripts."""

    refusals = 0

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        if self.refusals and key.startswith("transcripts/"):
            self.refusals -= 1
            raise StorageUnavailable("the object store does not answer")
        return await super().put(key, chunks)


class Meddling(ScriptedEngine):
    """Calls `meddle` in the midst of its `at`-th window."""

    def __init__(self, installation: "Unlucky", at: int = 2) -> None:
        super().__init__()
        self.windows = 0
        self._installation = installation
        self._at = at

    def transcribe(self, audio: DecodedAudio, *args: Any) -> Recognition:
        self.windows += 1
        if self.windows == self._at:
            self._installation.meddle()
        args[-1](0.5)
        return super().transcribe(audio, *args)


class Unlucky(Installation):
    """An installation whose database fails as a test says."""

    clock: Leaping
    blobs: FlakyBlobs
    engine: Meddling

    def __init__(self, work: Path) -> None:
        super().__init__(work, longest=3_000)
        self.clock = Leaping()
        self.database = MemoryDatabase(self.clock)
        self.blobs = FlakyBlobs()
        self.outage = Outage()
        self.engine = Meddling(self)
        self.meddle: Callable[[], None] = lambda: None

    def new_uow(self) -> UnitOfWork:
        return FlakyUnitOfWork(self.database, self.outage)


@pytest.fixture
def unlucky(tmp_path: Path) -> Iterator[Unlucky]:
    installation = Unlucky(tmp_path)
    yield installation
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def outcomes(task: Task) -> list[Outcome]:
    return [past.outcome for past in task.attempts]


async def test_r18_checkpoints_outlast_a_database_that_blinks(unlucky: Unlucky) -> None:
    unlucky.meddle = lambda: setattr(unlucky.outage, "refusals", 3)
    task = await unlucky.run()
    assert (task.status, task.attempt, outcomes(task)) == (TaskStatus.DONE, 1, [Outcome.COMPLETED])


@pytest.mark.parametrize("answers", [1, 2, 3])
async def test_r18_an_answer_that_got_lost_costs_no_result(answers: int, unlucky: Unlucky) -> None:
    """The windows' checkpoints, or the very last commit, were made; only nobody could say so."""
    process = unlucky.process()
    complete = process._complete

    async def last_moment(*args: Any) -> None:
        unlucky.outage.lost_answers = answers
        await complete(*args)

    process._complete = last_moment  # type: ignore[assignment] # only to know when
    task = await unlucky.submit()
    await process(task.id)
    async with unlucky.new_uow() as uow:
        stored = await uow.tasks.get(task.id)
    assert stored is not None
    assert (stored.status, stored.attempt, stored.revision) == (TaskStatus.DONE, 1, 1)
    assert outcomes(stored) == [Outcome.COMPLETED]


async def test_r18_so_may_the_answer_to_the_very_last_write(unlucky: Unlucky) -> None:
    unlucky.outage.loses_the_last = True
    with capture_logs() as log:
        task = await unlucky.run()
    assert "task_lost" not in [line["event"] for line in log]
    assert not unlucky.outage.loses_the_last
    assert (task.status, task.revision, outcomes(task)) == (TaskStatus.DONE, 1, [Outcome.COMPLETED])


async def test_r18_work_stops_when_the_lease_may_have_run_out_and_counts_against_nobody(unlucky: Unlucky) -> None:
    kept: set[str] = set()

    def blackout() -> None:
        unlucky.clock.leapt += LEASE.total_seconds() + 1
        unlucky.outage.refusals = 4
        kept.update(name for _, name in unlucky.database.rows.checkpoints)

    unlucky.meddle = blackout
    task = await unlucky.run()
    assert (task.status, task.attempt, task.strikes, task.crashes) == (TaskStatus.QUEUED, 0, 0, 0)
    assert outcomes(task) == [Outcome.RELEASED]
    assert {name for _, name in unlucky.database.rows.checkpoints} == kept, "nothing was written any more"
    task = await unlucky.again(task)
    assert (task.status, task.attempt) == (TaskStatus.DONE, 1)
    assert unlucky.engine.windows == await windows_of(unlucky, task) + 1, "one window was recognised twice"


async def windows_of(unlucky: Unlucky, task: Task) -> int:
    """As the stage says: n of m windows from an earlier attempt."""
    stages = {stage.name: stage.reason for stage in (await unlucky.transcript(task)).stages}
    return int(stages[StageName.RECOGNITION].split()[2])


async def test_r18_whoever_wakes_up_late_leaves_the_successor_alone(unlucky: Unlucky) -> None:
    task = await unlucky.submit()

    def taken_over() -> None:
        unlucky.clock.leapt += LEASE.total_seconds() + 1
        row = unlucky.database.rows.tasks[task.id]
        unlucky.database.rows.tasks[task.id] = taken(row)

    unlucky.meddle = taken_over
    await unlucky.process()(task.id)
    async with unlucky.new_uow() as uow:
        stored = await uow.tasks.get(task.id)
    assert stored is not None
    assert stored.lease is not None
    assert (stored.status, stored.lease.worker, stored.token) == (TaskStatus.PROCESSING, "another", 2)
    assert [key async for key in unlucky.blobs.list("transcripts/")] == []


def taken(row: bytes) -> bytes:
    """The row after the sweep took the task back and another worker claimed it."""
    task = json.decode(row, type=Task)
    assert task.lease is not None
    now = task.lease.until
    task.expire(now=now, delay=timedelta())
    task.claim(worker="another", now=now)
    task.version += 2
    return json.encode(task)


async def test_r18_a_blob_store_that_is_away_delays_the_result_and_costs_no_strike(unlucky: Unlucky) -> None:
    unlucky.blobs.refusals = 4
    task = await unlucky.run()
    for _ in range(3):
        assert (task.status, task.strikes, task.attempts[-1].code) == (TaskStatus.QUEUED, 0, "storage_unavailable")
        task = await unlucky.again(task)
    task = await unlucky.again(task)
    assert (task.status, task.attempt) == (TaskStatus.DONE, 5)
    waits = [b.started_at - a.ended_at for a, b in pairwise(task.attempts) if a.ended_at]
    assert waits == sorted(waits)
    assert timedelta(seconds=40) <= waits[-1] <= timedelta(seconds=51)


async def test_r18_no_sink_lets_work_pass_once_the_lease_may_have_run_out(unlucky: Unlucky) -> None:
    task = await unlucky.submit()
    async with unlucky.new_uow() as uow:
        stored = await uow.tasks.get(task.id)
        assert stored is not None
        stored.claim(worker="w", now=await uow.tasks.now())
        await uow.tasks.save(stored)
        await uow.commit()
    hold = Hold(
        stored, new_uow=unlucky.new_uow, events=unlucky.process()._events, clock=unlucky.clock, metrics=NullMetrics()
    )  # fmt: skip
    hold.check()
    unlucky.clock.leapt += LEASE.total_seconds()
    with pytest.raises(LeaseLost):
        hold.check()
    with pytest.raises(LeaseLost):
        await hold.checkpoint("window/0/0-1", b"late")
    with pytest.raises(LeaseLost):
        await hold.change(lambda row, now: row.release(token=hold.token, now=now))
    assert unlucky.database.rows.checkpoints == {}
