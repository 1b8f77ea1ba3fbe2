"""What it takes to read the installation's figures beside a long history, and to count attempts from many workers.

Bar: a census of half a million tasks takes as long as ten claims at most, so that a scrape is never what is slow. The
rest are figures: how fast recordings are added up, and what counting costs those who end attempts at the same time.
"""

import asyncio
import statistics
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import text

from adapters.persistence import sql_census
from adapters.persistence.sql import SqlUnitOfWork
from application.add_up_storage import AddUpStorage
from application.change_task import change_task
from application.claim_task import ClaimTask
from application.ports.persistence import NewUnitOfWork
from domain.task import Task
from infrastructure.database import blocking_engine, connect, migrate
from tests.bench.figures import tell
from tests.bench.history import finished
from tests.builders import OWNER, a_task
from tests.servers.postgres import PostgresServer

HISTORY = 500_000
QUEUED = 1_000
WORKERS = 16
LOOKS = 15
_PART = 50_000
"""More at once would take longer than a statement may."""


async def _census(new_uow: NewUnitOfWork) -> float:
    took = []
    for _ in range(LOOKS):
        started = time.perf_counter()
        async with new_uow() as uow:
            census = await uow.census.take()
        took.append((time.perf_counter() - started) * 1000)
    assert sum(census.tasks.values()) >= HISTORY
    return statistics.median(took)


def _release(task: Task, now: datetime, *, token: int) -> None:
    task.release(token=token, now=now)


async def _claims_and_ends(new_uow: NewUnitOfWork, count: int) -> tuple[float, float]:
    """Have many claim and end attempts at once; return a claim's median in ms, and the ends a second."""
    claim, took = ClaimTask(new_uow=new_uow, worker="bench"), []

    async def work() -> None:
        for _ in range(count // WORKERS):
            started = time.perf_counter()
            task = await claim.next()
            took.append((time.perf_counter() - started) * 1000)
            assert task is not None
            await change_task(new_uow, task.id, partial(_release, token=task.token))

    started = time.perf_counter()
    await asyncio.gather(*[work() for _ in range(WORKERS)])
    return statistics.median(took), len(took) / (time.perf_counter() - started)


async def _measure(url: str, name: str) -> float:
    engine = connect(url)

    def new_uow() -> SqlUnitOfWork:
        return SqlUnitOfWork(engine)

    async with new_uow() as uow:
        for _ in range(QUEUED):
            await uow.tasks.add(a_task(owner=OWNER))
        await uow.commit()
    census = await _census(new_uow)
    started = time.perf_counter()
    await AddUpStorage(new_uow=new_uow)()
    added_up = time.perf_counter() - started
    print(f"{name}: census {census:.1f} ms beside {HISTORY} tasks; storage added up in {added_up:.1f} s", flush=True)
    claim = 0.0
    for shards in (1, sql_census.SHARDS):
        usual, sql_census.SHARDS = sql_census.SHARDS, shards
        claim, ends = await _claims_and_ends(new_uow, 480)
        sql_census.SHARDS = usual
        print(f"{name}: {WORKERS} at once, {shards} shards: claim {claim:.1f} ms, {ends:.0f} claims and ends a second")
    await engine.dispose()
    return census / claim


def over(url: str, name: str) -> float:
    """Measure over a new database; return how many claims a census costs."""
    migrate(url)
    engine = blocking_engine(url)
    for _ in range(HISTORY // _PART):
        finished(engine, _PART, OWNER)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0" if engine.dialect.name == "postgresql" else "SELECT 1"))
        connection.execute(text("UPDATE tasks SET media_key = 'media/' || id"))  # each has a recording of its own
        connection.execute(text("VACUUM ANALYZE tasks" if engine.dialect.name == "postgresql" else "ANALYZE"))
    engine.dispose()
    return asyncio.run(_measure(url, name))


def main() -> None:
    """Measure over both databases."""
    with tempfile.TemporaryDirectory() as folder:
        costs = [over(f"sqlite+aiosqlite:///{Path(folder) / 'bench.sqlite3'}", "sqlite")]
    with PostgresServer(durable=True) as server, server.database() as url:
        costs.append(over(url, "postgres"))
    tell("bench_census", max(costs), 10.0, better="less", detail="a census of 500,000 tasks beside a claim")


if __name__ == "__main__":
    main()
