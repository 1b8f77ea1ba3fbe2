"""What is PostgreSQL's own: a server that goes away and comes back, and many processes that start at once."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from adapters.persistence.sql import SqlUnitOfWork
from domain.errors import DatabaseUnavailable
from infrastructure.database import blocking_engine, connect, migrate
from tests.builders import a_task
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres import PostgresServer


@pytest.fixture
def mortal() -> Iterator[PostgresServer]:
    with PostgresServer(durable=True) as server:
        yield server


async def test_a_server_that_goes_away_is_named_and_found_again(mortal: PostgresServer) -> None:
    with mortal.database() as url:
        await asyncio.to_thread(migrate, url)
        engine = connect(url)
        task = a_task()
        async with SqlUnitOfWork(engine) as uow:
            await uow.tasks.add(task)
            await uow.commit()
        mortal.stop()
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            async with SqlUnitOfWork(engine) as uow:
                await uow.tasks.get(task.id)
        assert time.monotonic() - started < 6
        mortal.start()
        async with SqlUnitOfWork(engine) as uow:
            assert await uow.tasks.get(task.id) == task
        await engine.dispose()


async def test_a_connection_that_is_cut_in_the_middle_is_named(postgres: PostgresServer) -> None:
    with postgres.database() as url:
        await asyncio.to_thread(migrate, url)
        engine = connect(url)
        async with SqlUnitOfWork(engine) as uow:
            await uow.tasks.now()
            postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'")
            with pytest.raises(DatabaseUnavailable):
                await uow.tasks.now()
        async with SqlUnitOfWork(engine) as uow:
            await uow.tasks.now()
        await engine.dispose()


async def test_r18_whoever_waits_for_a_black_hole_is_told_in_time(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.postgres._ANSWER_SECONDS", 0.5)
    with postgres.database() as url, FaultProxy(postgres.port) as proxy:
        await asyncio.to_thread(migrate, url)
        engine = connect(url.replace(str(postgres.port), str(proxy.port)))
        task = a_task()
        async with SqlUnitOfWork(engine) as other, SqlUnitOfWork(engine) as uow:
            await other.tasks.now()
            await uow.tasks.add(task)
            proxy.swallow()
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                await uow.commit()
            assert time.monotonic() - started < 2
        with pytest.raises(DatabaseUnavailable):
            async with SqlUnitOfWork(engine) as uow:
                await uow.tasks.now()
        proxy.heal()
        async with SqlUnitOfWork(engine) as uow:
            assert await uow.tasks.get(task.id) is None
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        await engine.dispose()


async def test_r18_a_statement_that_is_merely_slow_is_ended_by_the_server(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.postgres.STATEMENT_SECONDS", 1)
    with postgres.database() as url:
        engine = connect(url)
        async with engine.connect() as connection:
            with pytest.raises(OperationalError, match="statement timeout"):
                await connection.execute(text("SELECT pg_sleep(5)"))
            await connection.rollback()
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
        await engine.dispose()


def test_several_processes_may_migrate_at_once(postgres: PostgresServer) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["infrastructure.database", "alembic.command"])
    with postgres.database() as url:
        starting = [context.Process(target=migrate, args=(url,)) for _ in range(4)]
        for process in starting:
            process.start()
        for process in starting:
            process.join(15)
        assert [process.exitcode for process in starting] == [0, 0, 0, 0]
        engine = blocking_engine(url)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
        engine.dispose()
