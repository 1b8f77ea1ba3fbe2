"""The simulation behind SIZING.md is right: beside formulas, another way to compute it, and the running service."""

import heapq
import itertools
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.bench.sizing.simulation import Costs, Fleet, Recording, Scaling, Simulation, erlang_c
from tests.bench.sizing.workload import SHORT, recordings
from tests.e2e.cluster import Cluster
from tests.recordings import looped
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

PLAIN = Costs(recognition=1.0)
"""A second of work for a second of audio, and nothing else."""
REAL = Costs(recognition=0.2, diarization=0.02, listening=0.005, decoding=0.002, fixed=0.5)


def one_by_one(workers: int) -> Fleet:
    return Fleet(workers=workers, slots=1, window=1e9, notice=0.0, express=False)


def memoryless(rate: float, count: int, seed: int) -> list[Recording]:
    dice, now, made = random.Random(seed), 0.0, []
    for _ in range(count):
        now += dice.expovariate(rate)
        made.append(Recording(at=now, seconds=dice.expovariate(1.0)))
    return made


def mean_wait(told: list[Recording], workers: int) -> float:
    return statistics.mean(Simulation(told, PLAIN, one_by_one(workers)).run().waits())


@pytest.mark.parametrize(("workers", "load"), [(1, 0.7), (4, 0.7)])
def test_waits_are_those_of_erlangs_formula(workers: int, load: float) -> None:
    runs = [mean_wait(memoryless(load * workers, 12_000, seed), workers) for seed in (4, 5, 6)]
    expected = erlang_c(workers, load * workers) / (workers - load * workers)
    assert statistics.mean(runs) == pytest.approx(expected, rel=0.05)


def test_erlangs_formula_is_that_of_the_tables() -> None:
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang_c(10, 8.0) == pytest.approx(0.409, abs=0.001)


def test_every_wait_is_that_of_a_line_before_so_many_counters() -> None:
    told = memoryless(2.7, 1_500, seed=7)
    free, expected = [0.0, 0.0, 0.0], []
    for each in told:
        begins = max(heapq.heappop(free), each.at)
        expected.append(begins - each.at)
        heapq.heappush(free, begins + each.seconds)
    assert Simulation(told, PLAIN, one_by_one(3)).run().waits() == pytest.approx(sorted(expected))


def test_the_same_seed_gives_the_same_answer_and_another_gives_another() -> None:
    day = [*recordings(0.02, 20_000, seed=3)]
    fleet = Fleet(workers=5, lost=3_000)
    runs = [Simulation(day, REAL, fleet, seed=seed).run().turnarounds() for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_slots_let_short_recordings_pass_long_ones() -> None:
    day = [*recordings(0.8 * 4 / (0.2 * 927), 30_000, seed=3)]
    short = {
        slots: statistics.mean(Simulation(day, REAL, Fleet(workers=4, slots=slots)).run().turnarounds(shorter=SHORT))
        for slots in (1, 8)
    }
    assert short[8] < 0.8 * short[1]


def test_nothing_is_lost_with_workers_and_what_was_recognised_is_kept() -> None:
    day = [*recordings(0.02, 20_000, seed=3)]
    steady = Simulation(day, REAL, Fleet(workers=6)).run()
    broken = Simulation(day, REAL, Fleet(workers=6, lost=1_500), seed=2).run()
    assert len(broken.turnarounds()) == len(day)
    assert all(task.ended > task.claimed >= task.recording.at for task in broken.tasks)
    assert broken.repeated_seconds > 0
    assert statistics.mean(broken.turnarounds()) > statistics.mean(steady.turnarounds())


def test_the_fleet_grows_with_the_queue_and_shrinks_again() -> None:
    scaling = Scaling(least=1, most=30, startup=90)
    rush = [Recording(at=1.0 + number / 100, seconds=600) for number in range(100)]
    later = [Recording(at=9_000.0, seconds=60)]
    came = Simulation([*rush, *later], REAL, Fleet(workers=1, scaling=scaling)).run()
    assert 10 < came.most_workers <= 30
    assert came.worker_seconds < 0.5 * came.most_workers * 9_000, "they went again"
    slower = Simulation(rush, REAL, Fleet(workers=1, scaling=Scaling(least=1, most=30, startup=600))).run()
    assert statistics.mean(slower.turnarounds()) > statistics.mean(came.turnarounds())


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_service_has_its_tasks_wait_as_simulated(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    """Two workers with a task each, and more tasks, at random, than they can do; what makes them busy is sleep."""
    count, sleep, seconds = 12, 2.0, 10
    dice = random.Random(11)
    moments = [*itertools.accumulate(dice.expovariate(2 / sleep * 1.6) for _ in range(count))]
    with (
        postgres.database() as url,
        Cluster(
            tmp_path, database_url=url, queue_url=redis.url(), MAX_WORKERS="1", ASR_SCRIPT=f"sleep:{sleep}",
            DATABASE_CONNECTIONS="1", DATABASE_OVERFLOW="0", WORKER_SWEEPS="false",
        ) as cluster,
    ):  # fmt: skip
        clip, api = looped(tmp_path / "clip.wav", seconds), cluster.api()
        for name in ("one", "two"):
            cluster.worker(name)
        cluster.wait_all([api.submit(clip) for _ in range(2)], patience=60)
        begun = time.monotonic()

        def submit(moment: float) -> str:
            time.sleep(max(0.0, begun + moment - time.monotonic()))
            return api.submit(clip)

        with ThreadPoolExecutor(count) as callers:
            tasks = [*callers.map(submit, moments)]
        assert {*cluster.wait_all(tasks, patience=90).values()} == {"done"}
        with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string()) as database:
            rows = database.execute(
                "SELECT extract(epoch FROM created_at), extract(epoch FROM started_at), extract(epoch FROM finished_at)"
                " FROM tasks WHERE id = ANY(%s) ORDER BY created_at",
                [tasks],
            ).fetchall()
    times = [(float(made), float(began), float(ended)) for made, began, ended in rows]
    waited = statistics.mean(began - made for made, began, _ in times)
    # What each took is measured, so that the test is of the waiting alone.
    told = [Recording(at=made - times[0][0], seconds=ended - began) for made, began, ended in times]
    simulated = mean_wait(told, 2)
    assert simulated > 0.1, "nobody waited: that would show nothing"
    assert waited == pytest.approx(simulated, rel=0.25, abs=0.25)
