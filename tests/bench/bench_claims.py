"""What it takes to find and to claim the task whose turn it is, beside ever longer histories, over both databases.

Bar: with a hundred times the history finding it takes at most half as long again, for only queued rows are read. What
a claim takes beyond that is the commit, which is the disk's.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from adapters.persistence.sql import SqlUnitOfWork
from application.claim_task import ClaimTask
from application.ports.persistence import NewUnitOfWork
from domain.task import OwnerId
from infrastructure.database import blocking_engine, connect, migrate
from tests.bench.figures import tell
from tests.bench.history import finished
from tests.builders import OWNER, a_task
from tests.servers.postgres import PostgresServer

HISTORY = (2_000, 20_000, 200_000)
LONG = 2_000_000
QUEUED = 2_000
CLAIMS = 200
WORKERS = 8


async def timed(what: Callable[[], Awaitable[object]], rounds: int) -> tuple[float, float]:
    """Return median and 99th percentile, in ms."""
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        await what()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=100)[-1]


async def measure(new_uow: NewUnitOfWork, name: str) -> float:
    """Print what each question takes over this database; return the median of `due` in ms."""
    last = a_task()
    async with new_uow() as uow:
        for number in range(QUEUED):
            await uow.tasks.add(a_task(owner=OWNER if number else OwnerId(UUID(int=8))))
        await uow.tasks.add(last)
        await uow.commit()
    claim = ClaimTask(new_uow=new_uow, worker="bench")

    async def due() -> None:
        async with new_uow() as uow:
            await uow.tasks.due(now=await uow.tasks.now(), limit=4)

    async def position() -> None:
        async with new_uow() as uow:
            await uow.tasks.position(last)

    async def length() -> None:
        async with new_uow() as uow:
            await uow.tasks.queue_length(OWNER)

    figures = {"due": await timed(due, CLAIMS), "position": await timed(position, CLAIMS)}
    figures |= {"queue_length": await timed(length, CLAIMS), "claim": await timed(claim.next, CLAIMS)}
    told = ", ".join(f"{what} {median:.1f} ms (p99 {slow:.1f})" for what, (median, slow) in figures.items())
    print(f"{name}: {told}", flush=True)
    started = time.perf_counter()
    claimed = await asyncio.gather(*[_take(claim, CLAIMS // WORKERS) for _ in range(WORKERS)])
    assert len({task for tasks in claimed for task in tasks}) == CLAIMS // WORKERS * WORKERS, "each was had by one"
    rate = CLAIMS / (time.perf_counter() - started)
    print(f"{name}: {WORKERS} workers at once claim {rate:.0f} a second", flush=True)
    return figures["due"][0]


async def _take(claim: ClaimTask, count: int) -> list[UUID]:
    taken: list[UUID] = []
    while len(taken) < count:
        task = await claim.next()
        if task is not None:
            taken.append(task.id)
    return taken


def over(url: str, name: str, history: int) -> float:
    """Measure over a new database with so many finished tasks."""
    migrate(url)
    engine = blocking_engine(url)
    finished(engine, history, OWNER)
    engine.dispose()

    async def run() -> float:
        database = connect(url)
        try:
            return await measure(lambda: SqlUnitOfWork(database), f"{name}, {history} finished")
        finally:
            await database.dispose()

    return asyncio.run(run())


def main() -> None:
    """Print the figures of both databases; `--long` adds two million finished tasks."""
    histories = (*HISTORY, LONG) if "--long" in sys.argv else HISTORY
    finding: dict[str, list[float]] = {"SQLite": [], "PostgreSQL": []}
    with PostgresServer(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        for history in histories:
            path = Path(folder) / f"{history}.sqlite3"
            finding["SQLite"].append(over(f"sqlite+aiosqlite:///{path}", "SQLite", history))
            with server.database() as url:
                finding["PostgreSQL"].append(over(url, "PostgreSQL", history))
    worst = max(took[2] / took[0] for took in finding.values())
    tell(
        "finding whose turn it is, beside a long history",
        worst,
        1.5,
        better="less",
        detail="200,000 finished tasks beside 2,000",
    )


if __name__ == "__main__":
    main()
