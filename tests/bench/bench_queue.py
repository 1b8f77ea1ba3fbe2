"""How soon an idle worker starts what was submitted, and how fast rings are taken, beside Dramatiq and Celery (C10).

Bars: idle, submit to start at the 95th percentile at most 1/20 of Dramatiq's own and 1.5 x Celery's; 2,000 no-ops taken
3 x as fast as Celery's threads take them. One private Redis, one run, in turns. Ours is measured twice: from the bell
to the wake-up, which is all that the others do, and from the submission of a row to its claim, both in PostgreSQL.
Celery is installed into .venv-bench, where it is missing.
"""

import asyncio
import logging
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol
from uuid import UUID

import structlog

from adapters.persistence.sql import SqlUnitOfWork
from adapters.queue.dramatiq import DramatiqQueue, queue_name
from adapters.queue.dramatiq_brokers import make_broker
from application.claim_task import ClaimTask
from application.ports.queue import Job
from domain.task import TaskId
from entrypoints.work import Slots
from entrypoints.worker.listening import Listening
from infrastructure.database import connect, migrate
from tests.bench import queue_peers
from tests.bench.figures import tell
from tests.builders import a_task
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

JOBS = 30
NOOPS = 2_000
ROOT = Path(__file__).parents[2]
PEERS = Path(queue_peers.__file__)
CELERY = ROOT / ".venv-bench" / "bin" / "python"
QUEUES = {job: queue_name(job, "bench") for job in Job}


class Contender(Protocol):
    """Who takes part: `send` returns when the sending began, in ns; `started` when each job did."""

    name: str

    def send(self, first: int, last: int) -> int: ...

    def started(self) -> dict[int, int]: ...

    def receive(self) -> None: ...


class Peer:
    """Celery or Dramatiq: a sender and a receiver, each a process."""

    def __init__(self, name: str, python: Path, url: str, folder: Path, undo: ExitStack) -> None:
        self.name = name
        self._undo = undo
        self._file = folder / name
        self._file.touch()
        self._command = [str(python), str(PEERS), name]
        self._arguments = [url, str(self._file)]
        self._sender = subprocess.Popen(
            [*self._command, "send", *self._arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        undo.callback(self._sender.kill)

    def receive(self) -> None:
        """Start the receiver."""
        receiver = subprocess.Popen(
            [*self._command, "receive", *self._arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._undo.callback(receiver.kill)

    def send(self, first: int, last: int) -> int:
        assert self._sender.stdin is not None
        assert self._sender.stdout is not None
        self._sender.stdin.write(f"{first}-{last}\n")
        self._sender.stdin.flush()
        return int(self._sender.stdout.readline().split()[1])

    def started(self) -> dict[int, int]:
        rows = [line.split() for line in self._file.read_text().splitlines()]
        return {int(number): int(at) for number, at in rows}


class Bells:
    """Ours, from the bell to the wake-up, in a process of its own."""

    name = "ours, bell to wake-up"

    def __init__(self, url: str, folder: Path, undo: ExitStack) -> None:
        self._url = url
        self._file = folder / "bells"
        self._file.touch()
        self._undo = undo
        broker = make_broker(url)
        self._loop = asyncio.new_event_loop()
        self._queue = DramatiqQueue(broker, ["bench"], capacity=2 * NOOPS)
        undo.callback(lambda: self._loop.run_until_complete(self._queue.close()))

    def receive(self) -> None:
        receiver = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bench_queue", "bells", self._url, str(self._file)], cwd=ROOT
        )
        self._undo.callback(receiver.kill)

    def send(self, first: int, last: int) -> int:
        begun = time.time_ns()

        if last > first:  # more than wait in the queue's own memory at a time
            for number in range(first, last + 1):
                self._queue._ring(Job.PROCESS_TASK, UUID(int=number))
        else:
            self._loop.run_until_complete(self._queue.enqueue(Job.PROCESS_TASK, UUID(int=first)))
        return begun

    def started(self) -> dict[int, int]:
        rows = [line.split() for line in self._file.read_text().splitlines()]
        return {int(number): int(at) for number, at in rows}


class Rows(Bells):
    """Ours, from the submission to the claim."""

    name = "ours, submission to claim"

    def __init__(self, url: str, folder: Path, undo: ExitStack, database: str) -> None:
        super().__init__(url, folder, undo)
        self._file = folder / "rows"
        self._file.touch()
        self._engine = connect(database)
        self._database = database
        self._tasks: dict[UUID, int] = {}
        undo.callback(lambda: self._loop.run_until_complete(self._engine.dispose()))

    def receive(self) -> None:
        command = [sys.executable, "-m", "tests.bench.bench_queue", "rows", self._url, str(self._file), self._database]
        self._undo.callback(subprocess.Popen(command, cwd=ROOT).kill)

    def send(self, first: int, last: int) -> int:
        begun = time.time_ns()

        async def submit() -> None:
            for number in range(first, last + 1):
                async with SqlUnitOfWork(self._engine) as uow:
                    now = await uow.tasks.now()
                    task = a_task(created_at=now, updated_at=now, run_after=now)
                    self._tasks[task.id] = number
                    await uow.tasks.add(task)
                    await uow.commit()
                await self._queue.enqueue(Job.PROCESS_TASK, task.id)

        self._loop.run_until_complete(submit())
        return begun

    def started(self) -> dict[int, int]:
        return {self._tasks[UUID(int=task)]: at for task, at in super().started().items()}


async def hear_bells(url: str, path: str) -> None:
    """Note each bell in the event loop, as a worker that is woken does."""
    record = queue_peers.recorder(path)

    async def hear(_: Job, subject: UUID) -> None:
        record(subject.int)

    Listening(make_broker(url), QUEUES, hear, prefetch=queue_peers.THREADS).start()
    await asyncio.Event().wait()


class Claims:
    """Claims whatever is due and does nothing with it; stands where a worker has `ProcessTask`."""

    busy = 0

    def __init__(self, database: str, path: str) -> None:
        engine = connect(database)
        self._claim = ClaimTask(new_uow=lambda: SqlUnitOfWork(engine), worker="bench")
        self._record = queue_peers.recorder(path)

    async def next(self) -> bool:
        task = await self._claim.next()
        if task is not None:
            self._record(task.id.int)
        return task is not None

    async def knows(self, _: TaskId) -> bool:
        return True


async def claim_rows(url: str, path: str, database: str) -> None:
    """Run a worker's slots and its listening over claims alone."""
    bells: asyncio.Queue[tuple[Job, UUID]] = asyncio.Queue()

    async def hear(job: Job, subject: UUID) -> None:
        bells.put_nowait((job, subject))

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    slots = Slots(Claims(database, path), bells.get, queue_peers.THREADS)  # type: ignore[arg-type]
    slots.start()
    Listening(make_broker(url, slots.free), QUEUES, hear, prefetch=queue_peers.THREADS).start()
    await asyncio.Event().wait()


def wait_for(contender: Contender, number: int, seconds: float = 60) -> int:
    """Return when the job was started, in ns."""
    end = time.monotonic() + seconds
    while number not in (started := contender.started()):
        assert time.monotonic() < end, f"{contender.name}: job {number} was not started"
        time.sleep(0.02)
    return started[number]


def idle(contenders: list[Contender]) -> dict[str, float]:
    """Send single jobs in turns, each contender's about a second apart; return the 95th percentiles in ms."""
    dice, took = random.Random(10), {contender.name: list[float]() for contender in contenders}
    for contender in contenders:
        contender.receive()
        for number in (0, 1, 2):  # until it is up and warm
            contender.send(number, number)
            wait_for(contender, number)
    for number in range(10, 10 + JOBS):
        for contender in dice.sample(contenders, len(contenders)):
            time.sleep(dice.uniform(0.7, 1.5) / len(contenders))
            begun = contender.send(number, number)
            took[contender.name].append((wait_for(contender, number) - begun) / 1e6)
    for name, values in took.items():
        print(
            f"{name}: median {statistics.median(values):.1f} ms, p95 {_p95(values):.1f} ms, worst {max(values):.1f} ms"
        )
    return {name: _p95(values) for name, values in took.items()}


def drain(contender: Contender) -> float:
    """Send the no-ops, then start a receiver; return how many it took a second."""
    contender.send(1_000, 1_000 + NOOPS - 1)
    contender.receive()
    end = time.monotonic() + 60
    while len(started := contender.started()) < NOOPS:
        assert time.monotonic() < end, f"{contender.name}: {len(started)} of {NOOPS} taken"
        time.sleep(0.2)
    times = sorted(started.values())
    rate = (NOOPS - 1) / ((times[-1] - times[0]) / 1e9)
    print(f"{contender.name}: {rate:.0f} no-ops a second")
    return rate


def _p95(values: list[float]) -> float:
    return sorted(values)[round(0.95 * (len(values) - 1))]


@contextmanager
def contest(folder: Path, redis: RedisServer, database: int, peers: dict[str, Path]) -> Iterator[dict[str, Contender]]:
    """Give the contenders, each with a database of Redis' of its own."""
    with ExitStack() as undo:
        made: dict[str, Contender] = {}
        for place, (name, python) in enumerate(peers.items()):
            made[name] = Peer(name, python, redis.url(database=database + place), folder, undo)
        made["bells"] = Bells(redis.url(database=database + 3), folder, undo)
        yield made


def main() -> None:
    """Print the figures, the ratios last."""
    if not CELERY.exists():
        subprocess.run([sys.executable, "-m", "venv", str(CELERY.parents[1])], check=True)
        install = [str(CELERY), "-m", "pip", "-q", "--disable-pip-version-check", "install", "celery[redis]"]
        subprocess.run(install, check=True)
    peers = {"dramatiq": Path(sys.executable), "celery": CELERY}
    with tempfile.TemporaryDirectory() as name, RedisServer() as redis, PostgresServer(durable=True) as postgres:
        folder = Path(name)
        with postgres.database() as database:
            migrate(database)
            with contest(folder, redis, 0, peers) as contenders, ExitStack() as undo:
                rows = Rows(redis.url(database=4), folder, undo, database)
                p95 = idle([*contenders.values(), rows])
        rates: dict[str, list[float]] = {}
        for turn in range(3):
            (turns := folder / str(turn)).mkdir()
            redis.flush()
            for one in (*peers, "bells"):
                with contest(turns, redis, 8, peers) as contenders:
                    rates.setdefault(one, []).append(drain(contenders[one]))
    for ours in (Bells.name, Rows.name):
        tell(
            f"idle p95, {ours}", p95[ours] / p95["dramatiq"], 0.05, better="less", detail="beside Dramatiq as it comes"
        )
        tell(f"idle p95, {ours}", p95[ours] / p95["celery"], 1.5, better="less", detail="beside Celery's threads pool")
    best = {name: max(values) for name, values in rates.items()}
    tell("2,000 no-ops taken", best["bells"] / best["celery"], 3, better="more",
         detail=f"{best['bells']:.0f}/s beside Celery's threads pool, {best['celery']:.0f}/s")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["bells"]:
        asyncio.run(hear_bells(*sys.argv[2:]))
    elif sys.argv[1:2] == ["rows"]:
        asyncio.run(claim_rows(*sys.argv[2:]))
    else:
        main()
