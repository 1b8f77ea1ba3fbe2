"""The questions that SIZING.md answers by simulation; each function gives the rows of one table."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.bench.sizing.simulation import Costs, Fleet, Outcome, Scaling, Simulation
from tests.bench.sizing.workload import SHORT, mean_length, recordings

LOADS = (0.5, 0.7, 0.8, 0.9, 0.95)
FLEETS = (1, 3, 10, 100, 1_000)
DAYS = (10, 100, 1_000, 10_000)
BUSIEST = 0.15
"""Part of a day's audio that comes in its busiest hour, as in an office's day."""
PATIENCE, LONG_PATIENCE = 300.0, 3_600.0
"""Seconds that 19 of 20 short recordings, and of the longer ones, may take longer than alone."""
_MOST = 1_500
_HOURS = 5_400.0
_WARM = 3
"""A fleet begins idle: of the recordings the first third is not counted."""


def percentile(values: Sequence[float], part: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(part * len(values)))] if values else math.nan


def delays(outcome: Outcome, costs: Costs, *, shorter: float = math.inf, longer: float = 0.0) -> list[float]:
    """Seconds that tasks took longer than they take alone, sorted: all the waiting there is."""

    def alone(seconds: float) -> float:
        side_by_side = max(costs.recognition, costs.diarization)
        return costs.fixed + seconds * (costs.decoding + costs.listening + side_by_side)

    found = (
        task.ended - task.recording.at - alone(task.recording.seconds)
        for task in outcome.tasks
        if longer <= task.recording.seconds < shorter
    )
    return sorted(max(0.0, delay) for delay in found)


def simulate(costs: Costs, fleet: Fleet, load: float, *, seed: int = 5) -> Outcome:
    """Run a fleet that is busy for that part of its time, until it has forgotten how it began."""
    rate = load * fleet.workers * fleet.places / (costs.longest * mean_length())
    return _run(costs, fleet, rate, max(_HOURS, 2_000 / rate), seed)


def _run(costs: Costs, fleet: Fleet, rate: float, lasting: float, seed: int) -> Outcome:
    outcome = Simulation(recordings(rate, lasting, seed=seed), costs, fleet, seed=seed).run()
    return replace(outcome, tasks=[task for task in outcome.tasks if task.recording.at > lasting / _WARM])


def waiting(costs: Costs) -> Iterator[list[float]]:
    """Workers, then for each load the 95th percentile of the delay of short recordings, then of long ones."""
    for workers in FLEETS:
        outcomes = [simulate(costs, Fleet(workers=workers), load) for load in LOADS]
        yield [
            workers,
            *(percentile(delays(each, costs, shorter=SHORT), 0.95) for each in outcomes),
            *(percentile(delays(each, costs, longer=SHORT), 0.95) for each in outcomes),
        ]


def needed(costs: Costs, hours: float) -> int | None:
    """Workers with four tasks in flight that are patient enough in the busiest hour; None: beyond the table."""
    rate = hours * BUSIEST / mean_length()
    load = rate * mean_length() * costs.longest
    workers = max(1, math.ceil(load))
    while workers <= _MOST:
        if load < workers * 0.995:
            outcome = _run(costs, Fleet(workers=workers, slots=4), rate, max(_HOURS, 600 / rate), seed=6)
            short, long = delays(outcome, costs, shorter=SHORT), delays(outcome, costs, longer=SHORT)
            if percentile(short, 0.95) <= PATIENCE and percentile(long, 0.95) <= LONG_PATIENCE:
                return workers
        workers += max(1, workers // 20)
    return None


def slots(costs: Costs) -> Iterator[tuple[int, float, float, float]]:
    """MAX_WORKERS, then the median and 95th percentile of a short one's delay, and of a long one's the 95th."""
    for count in (1, 2, 4, 8, 16):
        outcome = simulate(costs, Fleet(workers=10, slots=count), 0.8)
        short, long = delays(outcome, costs, shorter=SHORT), delays(outcome, costs, longer=SHORT)
        yield count, percentile(short, 0.5), percentile(short, 0.95), percentile(long, 0.95)


def places(costs: Costs) -> Iterator[tuple[int, int, float, float]]:
    """The same number of engines in fewer workers: workers, ENGINE_CONCURRENCY, and the 95th percentiles."""
    for each in (1, 2, 4):
        outcome = simulate(costs, Fleet(workers=12 // each, places=each, slots=8 * each), 0.8)
        short, long = delays(outcome, costs, shorter=SHORT), delays(outcome, costs, longer=SHORT)
        yield 12 // each, each, percentile(short, 0.95), percentile(long, 0.95)


def losses(costs: Costs) -> Iterator[tuple[str, float, float, float]]:
    """How often a worker is lost, then the 95th percentiles, and the part of the work that was done twice."""
    for name, lost in (
        ("never", math.inf),
        ("every day", 86_400.0),
        ("every hour", 3_600.0),
        ("every 10 minutes", 600.0),
    ):
        outcome = simulate(costs, Fleet(workers=20, lost=lost), 0.8)
        short, long = delays(outcome, costs, shorter=SHORT), delays(outcome, costs, longer=SHORT)
        work = sum(task.recording.seconds for task in outcome.tasks) * costs.longest
        yield name, percentile(short, 0.95), percentile(long, 0.95), outcome.repeated_seconds / work


def scaling(costs: Costs) -> Iterator[tuple[str, float, float, int, float]]:
    """A day with a rush in the morning: how it is scaled, the 95th percentiles, the most workers, and worker-hours."""
    day, most = 8 * 3_600.0, 40
    peak = 0.8 * most / (costs.longest * mean_length())
    told = [*recordings(peak, day, seed=8, shape=lambda at: 1.0 if 7_200 <= at < 10_800 else 0.15)]
    ways = [("40 workers all the time", Fleet(workers=most))]
    for startup, tasks in itertools.product((15.0, 90.0, 300.0), (4, 8)):
        rule = Scaling(least=1, most=most, tasks=tasks, startup=startup)
        ways.append((f"a worker for {tasks} tasks, up after {startup:.0f} s", Fleet(workers=1, scaling=rule)))
    for name, fleet in ways:
        outcome = Simulation(told, costs, fleet, seed=2).run()
        short, long = delays(outcome, costs, shorter=SHORT), delays(outcome, costs, longer=SHORT)
        yield (
            name, percentile(short, 0.95), percentile(long, 0.95), outcome.most_workers, outcome.worker_seconds / 3_600,
        )  # fmt: skip


def without_bells(costs: Costs) -> Iterator[tuple[str, float]]:
    """What Redis' absence costs ten idle workers: how they ask, and the mean wait for the first claim."""
    for name, fleet in (
        ("Redis rings", Fleet(workers=10)),
        ("no Redis, asked every second", Fleet(workers=10, bells=False)),
        ("no Redis, asked every 30 seconds", Fleet(workers=10, bells=False, poll=30.0)),
    ):
        waits = simulate(costs, replace(fleet), 0.3).waits()
        yield name, sum(waits) / len(waits)
