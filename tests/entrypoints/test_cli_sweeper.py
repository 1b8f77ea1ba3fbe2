"""`colloquy migrate` and `colloquy sweeper`, as processes over PostgreSQL."""

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from adapters.persistence.sql import SqlUnitOfWork
from infrastructure.database import connect
from infrastructure.load_settings import load_settings
from infrastructure.pulse import signs
from tests.builders import a_running_task, a_task
from tests.e2e.service import environment
from tests.entrypoints.test_cli import COLLOQUY, colloquy
from tests.servers.ports import free_port, wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer


@contextmanager
def sweeper(folder: Path, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is killed at the end; its log is `folder/log`."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [COLLOQUY, "sweeper"], env=environment(folder / "data") | settings, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@asynccontextmanager
async def units_of_work(database: str) -> AsyncIterator[SqlUnitOfWork]:
    engine = connect(database)
    async with SqlUnitOfWork(engine) as uow:
        yield uow
    await engine.dispose()


def rings(broker: Redis) -> str:
    """Every message that the broker holds."""
    return str([broker.hvals(queue) for queue in broker.scan_iter("*.msgs")])


def parts(pulses: Path) -> dict[str, str]:
    """What the one process that runs there says of its parts."""
    return {part: state for sign in signs(pulses) for part, state in sign.parts.items()}


@pytest.mark.timeout(120)
async def test_a_sweeper_takes_back_and_rings_again_until_a_signal(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    with postgres.database() as database:
        migrated = colloquy("migrate", data=tmp_path / "other", DATABASE_URL=database)
        assert (migrated.returncode, migrated.stdout) == (0, "the database is up to date\n"), migrated.stderr
        assert not (tmp_path / "other").exists(), "a job that migrates needs no folder"
        queued, abandoned = a_task(), a_running_task()  # its lease ran out long ago
        async with units_of_work(database) as uow:
            await uow.tasks.add(queued)
            await uow.tasks.add(abandoned)
            await uow.commit()
        broker, log = redis.url(database=7), tmp_path / "log"
        little_room = {"MIN_FREE_PERCENT": "99.999"}  # which is nothing to one that keeps no recordings
        with sweeper(tmp_path, DATABASE_URL=database, QUEUE_URL=broker, **little_room) as process:
            wait_until(lambda: "sweeper_ready" in log.read_text(), seconds=30, what="the sweeper")
            wait_until(lambda: "lease_expired" in log.read_text(), seconds=30, what="the first sweep")
            with Redis.from_url(broker) as client:
                wait_until(lambda: str(queued.id) in rings(client), seconds=10, what="its ring")
            pulses = load_settings({"DATA_DIR": str(tmp_path / "data")}).pulse_dir
            wait_until(lambda: parts(pulses).get("broker") == "ok", seconds=30, what="its pulse")
            assert set(parts(pulses).values()) == {"ok"}, parts(pulses)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, log.read_text()
        assert "sweeper_stopped" in log.read_text()
        async with units_of_work(database) as uow:
            taken_back = await uow.tasks.get(abandoned.id)
        assert taken_back is not None
        assert taken_back.lease is None


@pytest.mark.timeout(120)
def test_a_sweeper_waits_for_the_database_and_heeds_signals_meanwhile(tmp_path: Path) -> None:
    away = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing"
    with sweeper(tmp_path, DATABASE_URL=away) as process:
        wait_until(lambda: "trying_again" in (tmp_path / "log").read_text(), seconds=30, what="a second try")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "sweeper_ready" not in (tmp_path / "log").read_text()


@pytest.mark.timeout(120)
def test_what_prevents_migrating_and_sweeping_is_an_exit_status(tmp_path: Path) -> None:
    alone = colloquy("sweeper", data=tmp_path / "data")
    assert (alone.returncode, "needs DATABASE_URL" in alone.stderr) == (78, True)
    away = f"postgresql+psycopg://nobody:hush@127.0.0.1:{free_port()}/nothing"
    ran = colloquy("migrate", "--wait", "0.5", data=tmp_path / "data", DATABASE_URL=away)
    assert (ran.returncode, ran.stdout) == (os.EX_TEMPFAIL, "")
    assert "after 0.5 seconds, the database cannot be used" in ran.stderr
    assert "hush" not in ran.stderr
