"""O-07: many small jobs with one fault in a hundred: nothing grows, nothing is lost, and handing in stays quick.

Half a minute each by default; `COLLOQUY_TEST_SOAK_SECONDS` for ten or thirty, before a release.
"""

import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.adapters.processes import children, resident, running
from tests.e2e.cluster import Cluster
from tests.e2e.service import Service
from tests.recordings import looped
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

SECONDS = float(os.environ.get("COLLOQUY_TEST_SOAK_SECONDS", "30"))  # noqa: TID251 - longer for a release
FAULT_EACH = 100
"""Calls from one scripted fault to the next; between them, a child is killed from outside."""
AHEAD = 12
"""Jobs that are handed in and not done yet; so there is always work, and the queue stays short."""
WARM_UP = 0.34
"""Of the run: caches fill, and pools of threads grow to their size."""
MB = 1_000_000
SUBMIT_SECONDS = 0.3
"""The 99th percentile of handing in, where the cores are free; where they are not, as many times as long as anything
takes there that computes."""
SLOPE_MB, NOISE_MB = 1.0, 6.0
"""Megabytes for 100 jobs that a process may grow by; what a short run cannot tell from that."""


def script(counter: Path) -> str:
    """Faults in turn, at calls of their own, however often a child begins anew."""
    kinds = ("raise", "segfault")
    acts = [f"{kinds[number % 2]}@{number * FAULT_EACH}" for number in range(1, 200)]
    return ";".join(["sleep:0.02", *acts, f"counter={counter}"])


@dataclass
class Sample:
    """What a process holds, after so many jobs."""

    jobs: int
    resident: int
    descriptors: int
    threads: int


@dataclass
class Soak:
    """A run: jobs handed in and done, how long handing in took, and what the processes held."""

    service: Service
    clip: Path
    processes: dict[str, Callable[[], int]]
    workers: tuple[str, ...]
    folders: list[Path]
    tasks: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    lost: dict[str, str] = field(default_factory=dict)
    submits: list[float] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    files: list[int] = field(default_factory=list)
    crowding: list[float] = field(default_factory=list)
    killed: int = 0

    def run(self, seconds: float) -> None:
        """Hand in, look, sample and strike until the time is up; then wait for what is left."""
        until = time.monotonic() + seconds
        sampling = threading.Thread(target=self._sample, args=(until,))
        sampling.start()
        dice = random.Random(7)
        with self.service.client() as client:
            content = self.clip.read_bytes()
            next_kill = FAULT_EACH // 2
            while time.monotonic() < until:
                began = time.monotonic()
                answer = client.post("/api/v1/transcribe", files={"file": ("clip.wav", content)},
                                     data={"diarization": str(len(self.tasks) % 2 == 0).lower()})  # fmt: skip
                self.submits.append(time.monotonic() - began)
                assert answer.status_code == 202, answer.text
                self.tasks.append(answer.json()["task_id"])
                while len(self.tasks) - self._ended() >= AHEAD and time.monotonic() < until + 120:
                    self._look(client)
                    time.sleep(0.05)
                if len(self.done) >= next_kill:
                    next_kill += FAULT_EACH
                    self._strike(dice)
            while self._ended() < len(self.tasks) and time.monotonic() < until + 120:
                self._look(client)
                time.sleep(0.2)
        sampling.join()

    def _ended(self) -> int:
        return len(self.done) + len(self.lost)

    def _look(self, client: httpx.Client) -> None:
        for task in [task for task in self.tasks if task not in self.done and task not in self.lost][:AHEAD]:
            status = client.get(f"/api/v1/status/{task}").json()["status"]
            if status == "done":
                self.done.add(task)
            elif status in {"error", "cancelled"}:
                self.lost[task] = str(status)

    def _strike(self, dice: random.Random) -> None:
        """Kill a child, an engine's or a decoder's, of one of those who work."""
        victims = [pid for name in self.workers for pid in children(self.processes[name]()) if running(pid)]
        if victims:
            os.kill(dice.choice(victims), signal.SIGKILL)
            self.killed += 1

    def _sample(self, until: float) -> None:
        while time.monotonic() < until:
            for name, pid in self.processes.items():
                process = Path(f"/proc/{pid()}")
                self.samples.setdefault(name, []).append(
                    Sample(
                        jobs=len(self.done),
                        resident=resident(pid()),
                        descriptors=len(list((process / "fd").iterdir())),
                        threads=len(list((process / "task").iterdir())),
                    )
                )
            # `walk` takes a folder that goes meanwhile for an empty one.
            self.files.append(sum(len(files) for folder in self.folders for _, _, files in os.walk(folder)))
            time.sleep(0.5)
            began, worked = time.monotonic(), time.thread_time()
            sum(range(200_000))
            self.crowding.append((time.monotonic() - began) / (time.thread_time() - worked))


def growth(samples: list[Sample]) -> tuple[float, float]:
    """Megabytes for 100 jobs by a linear fit, and megabytes by that fit over the whole of what is given."""
    jobs = [float(sample.jobs) for sample in samples]
    fit = statistics.linear_regression(jobs, [sample.resident / MB for sample in samples])
    return fit.slope * 100, fit.slope * (jobs[-1] - jobs[0])


def judge(soak: Soak) -> None:
    """See what is promised."""
    p99, crowding = statistics.quantiles(soak.submits, n=100)[98], statistics.mean(soak.crowding)
    told = f"{len(soak.done)} jobs done, {soak.killed} children killed, {len(soak.lost)} lost"
    took = f"p50 {statistics.median(soak.submits) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms"
    lines = [f"{told}; submit {took}, where computing took {crowding:.2f} times as long as it needs"]
    leaks = []
    for name, samples in soak.samples.items():
        warm = samples[int(len(samples) * WARM_UP) :]
        slope, grown = growth(warm)
        quarter = max(1, len(warm) // 4)

        def more(of: Callable[[Sample], int], warm: list[Sample] = warm, quarter: int = quarter) -> float:
            return statistics.median(map(of, warm[-quarter:])) - statistics.median(map(of, warm[:quarter]))

        descriptors, threads = more(lambda sample: sample.descriptors), more(lambda sample: sample.threads)
        lines.append(
            f"{name}: {slope:+.2f} MB for 100 jobs ({warm[-1].resident / MB:.0f} MB at the end), descriptors "
            f"{descriptors:+.0f} to {warm[-1].descriptors}, threads {threads:+.0f} to {warm[-1].threads}"
        )
        if (slope > SLOPE_MB and grown > NOISE_MB) or descriptors > 10 or threads > 10:
            leaks.append(lines[-1])
    print("\n".join(["", *lines]))  # noqa: T201 - the figures to note
    assert not soak.lost
    assert len(soak.done) == len(soak.tasks)
    assert not leaks
    assert soak.killed or len(soak.done) < FAULT_EACH
    assert p99 < SUBMIT_SECONDS * crowding


@contextmanager
def embedded(tmp: Path, clip: Path) -> Iterator[Soak]:
    """One process."""
    data = tmp / "data"
    settings = {
        "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ASR_SCRIPT": script(tmp / "counter"),
        "LOG_LEVEL": "warning",
    }  # fmt: skip
    with Service(data, **settings) as service:
        yield Soak(
            service, clip, {"service": lambda: service.pid}, ("service",), [data / "work", data / "blobs" / ".spool"]
        )


@contextmanager
def distributed(tmp: Path, clip: Path) -> Iterator[Soak]:
    """An API and two workers, over PostgreSQL, Redis and a folder."""
    with ExitStack() as stack:
        postgres, redis = stack.enter_context(PostgresServer()), stack.enter_context(RedisServer())
        database = stack.enter_context(postgres.database())
        settings = {"ASR_SCRIPT": script(tmp / "counter"), "LOG_LEVEL": "warning"}
        cluster = stack.enter_context(Cluster(tmp, database_url=database, queue_url=redis.url(), **settings))
        workers = {name: cluster.worker(name, LOG_LEVEL="info") for name in ("one", "two")}
        api = cluster.api()
        processes = {"api": lambda: api.pid} | {name: (lambda w=worker: w.pid) for name, worker in workers.items()}
        yield Soak(api, clip, processes, tuple(workers), [tmp / "data" / "work", tmp / "blobs" / ".spool"])


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 240)
@pytest.mark.parametrize("mode", [embedded, distributed], ids=["embedded", "distributed"])
def test_o07_nothing_grows_and_nothing_is_lost(mode: Callable[[Path, Path], Iterator[Soak]], tmp_path: Path) -> None:
    clip = looped(tmp_path / "clip.wav", 2)
    with mode(tmp_path, clip) as soak:  # type: ignore[attr-defined]
        soak.run(SECONDS)
        # The processes hold their folders of their own by their locks.
        left = [name for folder in soak.folders for _, _, names in os.walk(folder) for name in names if name != ".lock"]
    judge(soak)
    assert not left, "temporary files"
