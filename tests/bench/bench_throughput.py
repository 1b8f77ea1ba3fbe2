"""Jobs a second through API, Redis, PostgreSQL and S3, with engines that cost nothing, beside ever longer histories.

Everything else is real: uploads, blobs, decoding, windows, checkpoints, transcripts. Bar: with a hundred times as many
rows in the history a job takes at most a tenth more of the processor's time; wall time is told beside it.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import LiteralString

import httpx
import psycopg
from sqlalchemy import make_url

from domain.task import OwnerId
from infrastructure.database import blocking_engine
from tests.bench.figures import tell
from tests.bench.history import finished
from tests.e2e.cluster import Cluster, on_s3
from tests.e2e.service import Service
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server

JOBS, QUICK_JOBS = 2_000, 60
HISTORY = (2_000, 20_000, 200_000)
CLIENTS = 8
PATIENCE = 1_200.0


def a_clip(folder: Path) -> Path:
    """Make a second of near silence."""
    path = folder / "second.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(range(0, 250, 2)) * 256)
    return path


async def submit_all(service: Service, clip: Path, jobs: int) -> list[float]:
    """Submit so many times, several at once; return how long each took, in ms."""
    took: list[float] = []
    media = clip.read_bytes()
    left = iter(range(jobs))
    headers = {"Authorization": f"Bearer {service.key}"}
    async with httpx.AsyncClient(base_url=service.base, headers=headers, timeout=60, trust_env=False) as client:

        async def submit() -> None:
            for _ in left:
                started = time.perf_counter()
                answer = await client.post("/api/v1/transcribe", files={"file": (clip.name, media)})
                took.append((time.perf_counter() - started) * 1000)
                assert answer.status_code == 202, answer.text

        await asyncio.gather(*[submit() for _ in range(CLIENTS)])
    return took


def spent(pid: int) -> float:
    """Return the seconds of processor time of a process and all that it has started, ended or not."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    below = [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK") + sum(spent(int(one)) for one in below)


def one_round(cluster: Cluster, url: str, clip: Path, jobs: int) -> float:
    """Submit and wait; print the figures and return the processor's time for a job, in ms."""
    service = cluster.api()
    processes = {"API": service.pid, "worker": cluster.worker().pid}
    idle = {name: spent(pid) for name, pid in processes.items()}
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(), autocommit=True) as database:

        def count(condition: LiteralString) -> int:
            row = database.execute("SELECT count(*) FROM tasks WHERE " + condition).fetchone()  # noqa: S608 - constants
            return int(row[0]) if row else 0

        before = count("status = 'done'")
        started = time.perf_counter()
        took = asyncio.run(submit_all(service, clip, jobs))
        submitted = time.perf_counter() - started
        while left := count("status = 'queued' OR lease_until IS NOT NULL"):
            assert time.perf_counter() - started < PATIENCE, f"{left} of {jobs} left after {PATIENCE} s"
            time.sleep(0.2)
        seconds = time.perf_counter() - started
        assert count("status = 'done'") == before + jobs
    each = {name: 1000 * (spent(pid) - idle[name]) / jobs for name, pid in processes.items()}
    late = statistics.quantiles(took, n=100)[-1]
    print(
        f"{before} finished before: {jobs / seconds:.1f} jobs a second; submit median {statistics.median(took):.0f} ms,"
        f" p99 {late:.0f} ms, {jobs / submitted:.0f} submits a second; processor time a job: "
        + ", ".join(f"{name} {cost:.0f} ms" for name, cost in each.items()),
        flush=True,
    )
    return sum(each.values())


def owner_of(url: str) -> OwnerId:
    """Return the owner behind the service's key."""
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string()) as database:
        row = database.execute("SELECT owner FROM api_keys").fetchone()
    assert row is not None
    return OwnerId(row[0])


def main() -> None:
    """Print the figures; `--quick` takes fewer jobs."""
    jobs = QUICK_JOBS if "--quick" in sys.argv else JOBS
    costs = []
    with (
        PostgresServer(durable=True) as postgres,
        RedisServer() as redis,
        S3Server() as store,
        tempfile.TemporaryDirectory() as name,
        postgres.database() as url,
        Cluster(
            Path(name), database_url=url, queue_url=redis.url(), MAX_QUEUED_PER_OWNER="10000",
            **on_s3(store),
        ) as cluster,
    ):  # fmt: skip
        clip, service = a_clip(Path(name)), cluster.api()
        worker = cluster.worker(wait=False)
        wait_until(lambda: "worker_ready" in worker.log, seconds=300, what="the worker")
        asyncio.run(submit_all(service, clip, 8))  # the engines' processes start
        time.sleep(10)
        engine, owner, there = blocking_engine(url), owner_of(url), 0
        for rows in HISTORY:
            finished(engine, rows - there, owner)
            there = rows + jobs
            costs.append(one_round(cluster, url, clip, jobs))
        engine.dispose()
    worst = max(costs) / costs[0]
    tell("a job beside a long history", worst, 1.1, better="less", detail="200,000 finished tasks beside 2,000")


if __name__ == "__main__":
    main()
