"""D-02: recordings and transcripts are kept as long as was promised at submit, and no longer than ten minutes more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.storage.memory import MemoryBlobStore
from application import retain
from application.chores import Chore, Chores
from application.delete_task import QueryDeletions
from application.retain import EnforceRetention
from domain.deletion import DeletionReason
from domain.task import Retention, Task, TaskKind, TaskStatus, transcript_key
from infrastructure.database import connect, migrate
from infrastructure.load_settings import BadSettings, load_settings
from infrastructure.settings import Settings
from tests.builders import OWNER, a_task
from tests.contracts.blob_store import chunked, keys_of
from tests.contracts.deletions import a_revision_of, an_ended_task
from tests.fail_at_step import Steps, Trial
from tests.servers.postgres import PostgresServer

DAY, MINUTES = timedelta(days=1), timedelta(minutes=1)
PROMISED = Retention(media=DAY, transcript=30 * DAY)


class Stores:
    """Tasks that ended some time ago by the database's clock, and their blobs."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.blobs = MemoryBlobStore()

    async def now(self) -> datetime:
        async with self.trial.new_uow() as uow:
            return await uow.tasks.now()

    async def add(self, *tasks: Task, ago: timedelta = timedelta()) -> None:
        """Store tasks; those that have ended, ended so long ago."""
        ended = await self.now() - ago
        async with self.trial.new_uow() as uow:
            for task in tasks:
                await uow.tasks.add(replace(task, finished_at=task.finished_at and ended))
            await uow.commit()
        for task in tasks:
            await self.blobs.put(task.media.key, chunked(b"audio"))
            if task.kind is TaskKind.TRANSCRIBE and task.revision:
                await self.blobs.put(transcript_key(task.id, 1), chunked(b"text"))

    async def pass_by(self, time: timedelta) -> None:
        """Put the clock forward: the memory's own, or every row of a real database back."""
        self.trial.clock.ahead += time
        if self.trial.sql is not None:
            async with self.trial.new_uow() as uow:
                for task in await uow.tasks.page(OWNER, before=None, limit=100):
                    await uow.tasks.save(replace(task, finished_at=task.finished_at and task.finished_at - time))
                await uow.commit()

    async def enforce(self) -> None:
        await EnforceRetention(new_uow=self.trial.new_uow, blobs=self.blobs)()

    async def keys(self) -> set[str]:
        return set(await keys_of(self.blobs))

    async def task(self, task: Task) -> Task | None:
        async with self.trial.new_uow() as uow:
            return await uow.tasks.get(task.id)


@asynccontextmanager
async def over(url: str, folder: Path) -> AsyncIterator[Stores]:
    await asyncio.to_thread(migrate, url)
    engine = connect(url)
    yield Stores(Trial(folder, engine, Steps()))
    await engine.dispose()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(Trial(tmp_path, None, Steps()))
    elif request.param == "sqlite":
        async with over(f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite3'}", tmp_path) as stores:
            yield stores
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.database() as url:
            async with over(url, tmp_path) as stores:
                yield stores


async def test_d02_each_age_is_kept_to_the_minute(place: Stores) -> None:
    task = an_ended_task(retention=PROMISED)
    media, transcript = task.media.key, transcript_key(task.id, 1)
    await place.add(task)
    await place.pass_by(DAY - MINUTES)
    await place.enforce()
    assert await place.keys() == {media, transcript}
    await place.pass_by(2 * MINUTES)
    for _ in range(2):
        await place.enforce()
        assert await place.keys() == {transcript}
        stored = await place.task(task)
        assert stored is not None
        assert stored.media_purged_at is not None
        assert (stored.status, stored.revision) == (TaskStatus.DONE, 1)
    await place.pass_by(29 * DAY - 2 * MINUTES)
    await place.enforce()
    assert await place.keys() == {transcript}
    await place.pass_by(2 * MINUTES)
    await place.enforce()
    assert await place.keys() == set()
    assert await place.task(task) is None
    receipt = await QueryDeletions(new_uow=place.trial.new_uow).one(OWNER, task.id)
    assert receipt.reason is DeletionReason.RETENTION
    assert receipt.removed is not None
    assert (receipt.removed.recordings, receipt.removed.transcripts) == (0, 1)


async def test_d02_after_days_of_downtime_all_is_done_at_once(place: Stores) -> None:
    tasks = [an_ended_task(retention=PROMISED) for _ in range(7)]
    await place.add(*tasks[:3], ago=10 * DAY)
    await place.add(*tasks[3:], ago=90 * DAY)
    await place.enforce()
    assert await place.keys() == {transcript_key(task.id, 1) for task in tasks[:3]}


async def test_d02_zero_is_at_the_end_and_nothing_promised_is_for_ever(place: Stores) -> None:
    at_once, for_ever = an_ended_task(retention=Retention(media=timedelta())), an_ended_task()
    failed = an_ended_task(retention=Retention(media=timedelta()), status=TaskStatus.ERROR, revision=0)
    await place.add(at_once, failed)
    await place.add(for_ever, ago=9_999 * DAY)
    await place.enforce()
    assert await place.keys() == {transcript_key(at_once.id, 1), for_ever.media.key, transcript_key(for_ever.id, 1)}


async def test_d02_what_is_in_work_or_needed_is_never_touched(place: Stores) -> None:
    promised = Retention(media=timedelta(), transcript=timedelta())
    waiting, running = (
        a_task(retention=promised, status=status) for status in (TaskStatus.QUEUED, TaskStatus.PROCESSING)
    )
    failed = an_ended_task(retention=Retention(media=timedelta()), status=TaskStatus.ERROR, revision=0)
    retrying = a_task(parent=failed.id, media=failed.media, retention=promised)
    revised = an_ended_task(retention=promised)
    revising = a_revision_of(revised, TaskStatus.QUEUED, retention=promised)
    await place.add(waiting, running, failed, retrying, revised, revising, ago=DAY)
    before = await place.keys()
    await place.enforce()
    assert await place.keys() == before
    assert all([await place.task(task) for task in (waiting, running, failed, retrying, revised, revising)])
    async with place.trial.new_uow() as uow:  # they end
        for each in (retrying, revising):
            task = await uow.tasks.get(each.id)
            assert task is not None
            ended = replace(task, status=TaskStatus.CANCELLED, finished_at=await uow.tasks.now())
            await uow.tasks.save(ended)
        await uow.commit()
    await place.enforce()
    assert await place.keys() == {waiting.media.key, running.media.key}


async def test_d02_what_was_promised_holds_whatever_is_configured_later(tmp_path: Path) -> None:
    trial = Trial(tmp_path, None, Steps())
    assert (await trial.hand_in()).retention == Retention()
    settings = load_settings({"RETENTION_MEDIA": "36h", "RETENTION_TRANSCRIPTS": "30d"})
    assert settings.kept == Retention(media=timedelta(hours=36), transcript=30 * DAY)
    assert load_settings({"RETENTION_MEDIA": "0"}).kept == Retention(media=timedelta())
    assert Settings().kept == Retention(), "nothing vanishes by a default"
    for wrong in ("1", "-1h", "1.5d", "1w", ""):
        with pytest.raises(BadSettings):
            load_settings({"RETENTION_MEDIA": wrong})


async def test_d02_more_than_a_batch_is_done_in_one_turn(place: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "_BATCH", 5)
    tasks = [an_ended_task(retention=Retention(media=timedelta(seconds=number % 3))) for number in range(13)]
    await place.add(*tasks, ago=DAY)
    await place.enforce()
    assert len(await place.keys()) == len(tasks)


async def test_d02_of_several_processes_one_does_a_chore_at_a_time(place: Stores) -> None:
    done: list[float] = []
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def do() -> None:
        done.append(loop.time())
        if len(done) == 4:
            enough.set()
        if len(done) == 2:
            raise ZeroDivisionError  # the next turn comes nevertheless

    every = timedelta(seconds=0.3)
    processes = [Chores(new_uow=place.trial.new_uow, chores=[Chore(name="dust", every=every, do=do)]) for _ in range(3)]
    running = [asyncio.create_task(process.forever()) for process in processes]
    await asyncio.wait_for(enough.wait(), 15)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert min(later - earlier for earlier, later in pairwise(done)) > 0.2


async def test_d02_the_rows_say_when_by_the_databases_clock(tmp_path: Path) -> None:
    async with over(f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite3'}", tmp_path) as stores:
        task = an_ended_task(retention=Retention(media=timedelta(hours=24)))
        await stores.add(task)
        assert stores.trial.sql is not None
        async with stores.trial.sql.connect() as connection:
            row = (await connection.execute(text("SELECT keep_media_s, keep_transcript_s FROM tasks"))).one()
        assert tuple(row) == (86_400, None)
