"""D-07 (and R-21's storage): many writers, checkpoints and kill -9 cost no committed row and leave no half blob."""

import asyncio
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from adapters.persistence.sql import SqlUnitOfWork
from adapters.storage.filesystem import FilesystemBlobStore
from domain.task import Task, TaskId
from infrastructure.database import connect, migrate
from tests.builders import a_running_task
from tests.contracts.blob_store import chunked, content_of, keys_of

WRITERS = 8


def url_in(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'test.sqlite3'}"


def blobs_in(folder: Path) -> FilesystemBlobStore:
    return FilesystemBlobStore(folder / "blobs")


def content_for(key: str) -> bytes:
    """Bytes that a key can be checked against; some lengths need several batches."""
    return f"{key}\n".encode() * (UUID(key.rpartition("/")[2]).int % 60_000 + 1)


class Writer:
    """Stores recordings, tasks and checkpoints as the service does, and tells what is committed, and only then."""

    def __init__(self, folder: Path) -> None:
        self.engine = connect(url_in(folder))
        self.blobs = blobs_in(folder)

    async def often_checkpoint(self) -> None:
        """Have the write-ahead log copied back after every few pages."""
        async with self.engine.connect() as connection:
            await connection.execute(text("PRAGMA wal_autocheckpoint = 20"))

    async def one(self) -> TaskId:
        task = a_running_task()
        await self.blobs.put(task.media.key, chunked(content_for(task.media.key)))
        async with SqlUnitOfWork(self.engine) as uow:
            await uow.tasks.add(task)
            await uow.commit()
        for name in ("1", "2"):
            async with SqlUnitOfWork(self.engine) as uow:
                await uow.checkpoints.put(task.id, name, token=task.token, payload=bytes(20_000))
                await uow.commit()
        async with SqlUnitOfWork(self.engine) as uow:
            stored = await uow.tasks.get(task.id)
            assert stored is not None
            stored.renew(token=task.token, now=await uow.tasks.now())
            await uow.tasks.save(stored)
            await uow.commit()
        return task.id


def write_until_killed(folder: Path, committed: Connection) -> None:
    async def write() -> None:
        migrate(url_in(folder))
        writer = Writer(folder)
        await writer.often_checkpoint()

        async def forever() -> None:
            while True:
                committed.send_bytes((await writer.one()).bytes)

        await asyncio.gather(*[forever() for _ in range(WRITERS)])

    asyncio.run(write())


def write_many(folder: Path, count: int) -> None:
    async def write() -> None:
        writer = Writer(folder)
        await writer.often_checkpoint()

        async def several() -> None:
            for _ in range(count):
                await writer.one()

        await asyncio.gather(*[several() for _ in range(WRITERS)])
        await writer.engine.dispose()

    asyncio.run(write())


def integrity(folder: Path) -> list[tuple[str]]:
    connection = sqlite3.connect(folder / "test.sqlite3")
    try:
        return connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()


async def stored_in(folder: Path, ids: set[TaskId]) -> list[tuple[Task | None, dict[str, bytes]]]:
    engine = connect(url_in(folder))
    async with SqlUnitOfWork(engine) as uow:
        found = [(await uow.tasks.get(task_id), await uow.checkpoints.all(task_id)) for task_id in sorted(ids)]
    await engine.dispose()
    return found


def processes() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "alembic.command"])
    return context


def kill_while_writing(folder: Path, dice: random.Random) -> set[TaskId]:
    """Let a process write, kill it at a random moment, and return what it had told to be committed."""
    context = processes()
    told, telling = context.Pipe(duplex=False)
    process = context.Process(target=write_until_killed, args=(folder, telling))
    process.start()
    telling.close()
    assert told.poll(15), "it never got to write"
    time.sleep(dice.uniform(0, 0.08))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(5)
    assert process.exitcode == -signal.SIGKILL
    committed = set()
    try:
        while True:
            committed.add(TaskId(UUID(bytes=told.recv_bytes())))
    except EOFError:
        return committed


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_d07_kill_at_any_moment_loses_nothing_committed(kills: int, tmp_path: Path) -> None:
    dice = random.Random(kills)
    committed: set[TaskId] = set()
    for _ in range(kills):
        committed |= kill_while_writing(tmp_path, dice)
        assert integrity(tmp_path) == [("ok",)]
    found = asyncio.run(stored_in(tmp_path, committed))
    assert len(found) >= kills
    assert all(task is not None and task.version == 1 for task, _ in found)
    assert all(parts == {"1": bytes(20_000), "2": bytes(20_000)} for _, parts in found)
    asyncio.run(check_blobs(tmp_path, committed))


async def check_blobs(folder: Path, committed: set[TaskId]) -> None:
    blobs = blobs_in(folder)
    visible = await keys_of(blobs)
    assert {f"media/{task_id}" for task_id in committed} <= set(visible)
    assert [key for key in visible if await content_of(blobs, key) != content_for(key)] == []
    await blobs.sweep_partial(timedelta())
    assert await asyncio.to_thread(lambda: list((folder / "blobs/.partial").iterdir())) == []


@pytest.mark.timeout(60)
def test_d07_writers_in_several_processes_never_meet_a_lock(tmp_path: Path) -> None:
    """A command may write beside the service: both wait their turn, neither fails."""
    migrate(url_in(tmp_path))
    writing = [processes().Process(target=write_many, args=(tmp_path, 6)) for _ in range(2)]
    for process in writing:
        process.start()
    for process in writing:
        process.join(45)
    assert [process.exitcode for process in writing] == [0, 0]
    assert integrity(tmp_path) == [("ok",)]
    connection = sqlite3.connect(tmp_path / "test.sqlite3")
    assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (2 * WRITERS * 6,)
    assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (2 * WRITERS * 6 * 2,)
    connection.close()
