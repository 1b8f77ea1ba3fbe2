"""What workers cost PostgreSQL and Redis: claims a second, and what each idle and each busy worker asks of them.

Times are the servers' own processor time, which a busy machine does not change; the rates beside them are what this
machine had left.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from sqlalchemy import make_url

from adapters.persistence.sql import SqlUnitOfWork
from application.claim_task import ClaimTask
from domain.task import OwnerId
from infrastructure.database import connect, migrate
from infrastructure.database_settings import DatabaseSettings
from tests.bench.sizing.processes import private, spent
from tests.builders import a_task
from tests.e2e.cluster import Cluster
from tests.recordings import looped
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

CLAIMERS = (1, 10, 50)
_QUEUED = 1_000
_OWNERS = 10
_POLLS = 1_000
_WATCHED_SECONDS = 20.0
_TUNED = {"WORKER_POLL_SECONDS": "30", "WORKER_SWEEPS": "false", "DATABASE_CONNECTIONS": "2", "DATABASE_OVERFLOW": "0"}
_BUSY = {
    "ASR_SCRIPT": "sleep:20", "ENGINE_WINDOW_SECONDS": "60", "ENGINE_CONCURRENCY": "8", "ENGINE_PRELOAD": "",
    "ENGINE_EXPRESS_MB": "0",
}  # fmt: skip


@dataclass(slots=True)
class Claims:
    """So many who claim at once: claims a second, how long one takes in ms, and the server's processor time, in ms."""

    claimers: int
    rate: float
    median: float
    worst: float
    server: float


@dataclass(slots=True)
class Share:
    """What one worker asks for in a second: transactions, the servers' processor ms, commands; and its connections."""

    transactions: float
    database: float
    commands: float
    broker: float
    connections: int


@dataclass(slots=True)
class Load:
    """All of it; `poll` is the server's time for a question when nothing waits, `backend` MB of a connection."""

    claims: list[Claims]
    poll: float
    backend: float
    shares: dict[str, Share]


def measure() -> Load:
    """Take all measurements; two minutes."""
    with PostgresServer(durable=True) as postgres:
        with postgres.database() as url:
            migrate(url)
            poll, backend = asyncio.run(_polls(postgres, url))
        claims = []
        for claimers in CLAIMERS:
            with postgres.database() as url:
                migrate(url)
                claims.append(asyncio.run(_claims(postgres, url, claimers)))
    shares = {}
    for name, settings in (("default", {}), ("tuned", _TUNED)):
        shares[f"idle, {name}"] = _share(settings, tasks=0)
        shares[f"8 tasks, {name}"] = _share(settings | _BUSY, tasks=8)
    return Load(claims, poll, backend, shares)


@contextmanager
def _server_time(postgres: PostgresServer, took: list[float]) -> Iterator[None]:
    before = spent(postgres.pid)
    yield
    took.append(spent(postgres.pid) - before)


async def _polls(postgres: PostgresServer, url: str) -> tuple[float, float]:
    engine, took = connect(url, DatabaseSettings(connections=10, overflow=0)), list[float]()
    claim = ClaimTask(new_uow=lambda: SqlUnitOfWork(engine), worker="bench")
    await asyncio.gather(*[claim.next() for _ in range(10)])
    with _server_time(postgres, took):
        for _ in range(_POLLS // 10):
            await asyncio.gather(*[claim.next() for _ in range(10)])
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'colloquy'")
        backends = [private(row[0]) for row in rows]
    await engine.dispose()
    return 1000 * took[0] / _POLLS, statistics.mean(backends)


async def _claims(postgres: PostgresServer, url: str, claimers: int) -> Claims:
    engine, took, server = (
        connect(url, DatabaseSettings(connections=claimers, overflow=0)),
        list[float](),
        list[float](),
    )
    claim = ClaimTask(new_uow=lambda: SqlUnitOfWork(engine), worker="bench")
    async with SqlUnitOfWork(engine) as uow:
        for number in range(_QUEUED):
            await uow.tasks.add(a_task(owner=OwnerId(_owner(number))))
        await uow.commit()
    dice = random.Random(claimers)
    left = iter(range(_QUEUED // 2))  # the queue stays long all the while

    async def take() -> None:
        for _ in left:
            began = time.perf_counter()
            while await claim.next() is None:  # noqa: ASYNC110 - too many claim at this moment; nothing tells when not
                await asyncio.sleep(dice.uniform(0.0, 0.1))
            took.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    with _server_time(postgres, server):
        await asyncio.gather(*[take() for _ in range(claimers)])
    seconds = time.perf_counter() - began
    await engine.dispose()
    worst = statistics.quantiles(took, n=100)[-1]
    return Claims(claimers, len(took) / seconds, statistics.median(took), worst, 1000 * server[0] / len(took))


def _owner(number: int) -> OwnerId:
    from uuid import UUID  # noqa: PLC0415 - here alone

    return OwnerId(UUID(int=number % _OWNERS + 1))


def _share(settings: dict[str, str], *, tasks: int) -> Share:
    """Watch one worker for a while beside an API, and the same without it; the difference is the worker's."""
    with (
        PostgresServer() as postgres,
        postgres.database() as url,
        RedisServer() as broker,
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder), database_url=url, queue_url=broker.url(), MAX_QUEUED="100", **settings) as cluster,
    ):
        api = cluster.api()
        alone = _watch(postgres, url, broker)
        worker = cluster.worker(wait=False)
        wait_until(lambda: "worker_ready" in worker.log, seconds=120, what="the worker")
        if tasks:
            clip = looped(Path(folder) / "clip.wav", 300)
            started = [api.submit(clip, {"diarization": "false"}) for _ in range(tasks)]
            wait_until(
                lambda: all(api.status(task)["phase"] == "transcribing" for task in started), seconds=60, what="tasks"
            )
        time.sleep(3)
        both = _watch(postgres, url, broker)
        transactions, database, commands, there, held = (
            max(0.0, mine - without) for mine, without in zip(both, alone, strict=True)
        )
        return Share(transactions, database, commands, there, int(held))


def _watch(postgres: PostgresServer, url: str, broker: RedisServer) -> tuple[float, float, float, float, float]:
    """What is asked for in a second: transactions, processor ms, commands, processor ms; and connections."""
    plain = make_url(url).set(drivername="postgresql").render_as_string()
    count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    with psycopg.connect(plain, autocommit=True) as database, redis.Redis.from_url(broker.url()) as asked:

        def figures() -> tuple[float, float, float, float]:
            row = database.execute(count).fetchone()
            told = asked.info()
            assert isinstance(told, dict)
            spent_there = float(told["used_cpu_user"]) + float(told["used_cpu_sys"])
            return (
                float(row[0] if row else 0),
                spent(postgres.pid),
                float(told["total_commands_processed"]),
                spent_there,
            )

        before, began = figures(), time.monotonic()
        time.sleep(_WATCHED_SECONDS)
        after, passed = figures(), time.monotonic() - began
        held = database.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'colloquy'").fetchone()
    rates = [(late - early) / passed for early, late in zip(before, after, strict=True)]
    return rates[0], 1000 * rates[1], rates[2], 1000 * rates[3], float(held[0] if held else 0)
