"""Claiming over PostgreSQL while others claim everything that is due."""

import time
from contextlib import AsyncExitStack

from adapters.persistence.sql import SqlUnitOfWork
from infrastructure.database import connect, migrate
from infrastructure.database_settings import DatabaseSettings
from tests.builders import NOW, a_task
from tests.servers.postgres import PostgresServer


async def test_whoever_finds_all_tasks_being_claimed_does_not_wait_for_those_claims(postgres: PostgresServer) -> None:
    with postgres.database() as url:
        migrate(url)
        engine = connect(url)
        try:
            async with SqlUnitOfWork(engine) as uow:
                await uow.tasks.add(a_task(run_after=NOW))
                await uow.tasks.add(a_task(run_after=NOW))
                await uow.commit()
            async with SqlUnitOfWork(engine) as first, SqlUnitOfWork(engine) as second, SqlUnitOfWork(engine) as third:
                taken = await first.tasks.due(now=NOW, limit=1, claiming=True)
                other = await second.tasks.due(now=NOW, limit=1, claiming=True)
                assert {*taken} != {*other}
                began = time.monotonic()
                assert list(await third.tasks.due(now=NOW, limit=1, claiming=True)) == []
                assert time.monotonic() - began < 4, "a lock is waited for five seconds"
            async with SqlUnitOfWork(engine) as later:
                assert len(await later.tasks.due(now=NOW, limit=2, claiming=True)) == 2, "nobody claimed them after all"
        finally:
            await engine.dispose()


async def test_more_claim_at_once_than_the_first_who_are_looked_at(postgres: PostgresServer) -> None:
    """Each of twenty who have not committed yet holds a task of its own; nobody goes away empty-handed."""
    with postgres.database() as url:
        migrate(url)
        engine = connect(url, DatabaseSettings(connections=21, overflow=1))
        try:
            async with SqlUnitOfWork(engine) as uow:
                for _ in range(20):
                    await uow.tasks.add(a_task(run_after=NOW))
                await uow.commit()
            async with AsyncExitStack() as stack:
                claimers = [await stack.enter_async_context(SqlUnitOfWork(engine)) for _ in range(20)]
                taken = [await each.tasks.due(now=NOW, limit=1, claiming=True) for each in claimers]
                assert len({task for found in taken for task in found}) == 20
        finally:
            await engine.dispose()
