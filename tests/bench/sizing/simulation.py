"""A fleet of workers as a simulation of discrete events: who waits for how long, by the service's own rules.

Whose turn it is is asked of `domain.turns`, who is next before an engine goes by the rank of `adapters.hosting.line`,
and leases, sweeps and windows have the service's seconds. What a stage costs is measured (`installation.py`). It knows
no clock but its own, and the same seed gives the same answer.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.hosting.line import EXPRESS_SECONDS, RATE
from domain.task import LEASE, OwnerId, TaskId
from domain.turns import Line, claim_order, waiting_since
from entrypoints.work import SWEEP_SECONDS

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_MUCH_SHORTER = 4.0
"""As `Line` has it: for less, an express place is not worth a process."""
_HANDED_BACK = 3.0
"""Seconds until a worker that is told to end has given its tasks back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is handed in at the second `at`, so many seconds long."""

    at: float
    seconds: float
    owner: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds for each second of audio by stage, and `fixed` ones for each task."""

    recognition: float
    diarization: float = 0.0
    listening: float = 0.0
    decoding: float = 0.0
    fixed: float = 0.0

    @property
    def longest(self) -> float:
        """Of the engines, which work side by side, the one that a fleet waits for."""
        return max(self.recognition, self.diarization, self.listening)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What KEDA does: a worker for each `tasks` that wait or run and for each `oldest` seconds of the longest wait."""

    least: int
    most: int
    tasks: float = 4
    oldest: float = 120
    startup: float = 90.0
    every: float = 15.0
    stable: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Workers with `slots` tasks in flight (MAX_WORKERS) and `places` calls of each engine (ENGINE_CONCURRENCY).

    `notice` is what a bell takes; without `bells` idle slots ask every `poll` seconds. A worker is lost every `lost`
    seconds in the middle, for `away` seconds.
    """

    workers: int
    slots: int = 8
    places: int = 1
    window: float = 300.0
    express: bool = True
    bells: bool = True
    notice: float = 0.01
    poll: float = 1.0
    lost: float = math.inf
    away: float = 60.0
    scaling: Scaling | None = None


@dataclass(slots=True, eq=False)
class Task:
    """One recording on its way; `recognised` seconds of it are kept whatever happens."""

    number: int
    recording: Recording
    due: datetime
    claimed: float = -1.0
    ended: float = -1.0
    recognised: float = 0.0
    parts: int = 0
    run: int = 0


@dataclass(slots=True)
class Outcome:
    """What came of it; `wait` is from being handed in to the first claim."""

    tasks: list[Task]
    worker_seconds: float
    most_workers: int
    repeated_seconds: float

    def waits(self, *, shorter: float = math.inf, longer: float = 0.0) -> list[float]:
        """The waits of recordings between the two lengths, sorted."""
        return sorted(
            task.claimed - task.recording.at for task in self.tasks if longer <= task.recording.seconds < shorter
        )

    def turnarounds(self, *, shorter: float = math.inf, longer: float = 0.0) -> list[float]:
        """From being handed in to done, sorted."""
        return sorted(
            task.ended - task.recording.at for task in self.tasks if longer <= task.recording.seconds < shorter
        )


@dataclass(slots=True, eq=False)
class Call:
    """A task's call that waits before an engine, with `left` seconds of its recording, or is under way."""

    task: Task
    size: float
    left: float
    rank: float
    done: Callable[[], None]


class Engine:
    """The line before one engine of one worker: `places`, and one aside for short recordings."""

    def __init__(self, simulation: "Simulation", places: int, cost: float, *, express: bool) -> None:
        self._simulation = simulation
        self._free = places
        self._aside = express
        self._cost = cost
        self._waiting: list[tuple[float, int, Call]] = []
        self._running: list[Call] = []

    def join(self, call: Call) -> None:
        """Stand in line."""
        heapq.heappush(self._waiting, (call.rank, call.task.number, call))
        self._serve()

    def clear(self) -> None:
        """Forget everybody: the process has gone."""
        self._waiting.clear()

    def _serve(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._start(heapq.heappop(self._waiting)[2], aside=False)
        if self._aside and self._waiting and self._running:
            shortest = min(call.size for call in self._running)
            short = [each for each in self._waiting if each[2].left <= min(EXPRESS_SECONDS, shortest / _MUCH_SHORTER)]
            if short:
                first = min(short)
                self._waiting.remove(first)
                heapq.heapify(self._waiting)
                self._aside = False
                self._start(first[2], aside=True)

    def _start(self, call: Call, *, aside: bool) -> None:
        self._running.append(call)

        def end() -> None:
            self._running.remove(call)
            if aside:
                self._aside = True
            else:
                self._free += 1
            call.done()
            self._serve()

        self._simulation.later(call.size * self._cost, end)


@dataclass(slots=True, eq=False)
class Worker:
    """One process: its tasks, and its engines."""

    free: int
    asr: Engine
    diarization: Engine
    vad: Engine
    began: float
    tasks: set[Task] = field(default_factory=set)
    alive: bool = True


class Simulation:
    """Runs recordings through a fleet until all are done."""

    def __init__(self, recordings: Iterable[Recording], costs: Costs, fleet: Fleet, *, seed: int = 1) -> None:
        self._costs = costs
        self._fleet = fleet
        self._dice = random.Random(seed)
        self._now = 0.0
        self._count = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._tasks = [
            Task(number, each, _instant(each.at))
            for number, each in enumerate(sorted(recordings, key=lambda recording: recording.at))
        ]
        self._waiting: dict[tuple[int, int], deque[Task]] = {}
        self._running: dict[tuple[int, int], int] = {}
        self._served: dict[tuple[int, int], datetime] = {}
        self._left = len(self._tasks)
        self._depth = self._in_work = 0
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []
        self._coming = 0
        self._spent = 0.0
        self._repeated = 0.0
        self._most = 0
        self._wished: deque[tuple[float, int]] = deque()

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen."""
        self._count += 1
        heapq.heappush(self._events, (self._now + seconds, self._count, what))

    def run(self) -> Outcome:
        """Return what came of it."""
        scaling = self._fleet.scaling
        for _ in range(scaling.least if scaling else self._fleet.workers):
            self._hire()
        for task in self._tasks:
            self.later(task.recording.at, lambda task=task: self._arrive(task))  # type: ignore[misc]
        if scaling:
            self.later(scaling.every, self._scale)
        while self._events and self._left:
            self._now, _, what = heapq.heappop(self._events)
            what()
        self._spent += sum(self._now - worker.began for worker in self._workers)
        return Outcome(self._tasks, self._spent, self._most, self._repeated)

    # The queue

    def _arrive(self, task: Task) -> None:
        line = (task.recording.priority, task.recording.owner)
        self._waiting.setdefault(line, deque()).append(task)
        self._depth += 1
        if self._idle:
            idle = sum(worker.free for worker in self._idle)
            # The first of so many slots that ask at any moment of their second.
            asked = self._fleet.poll * 0.85 * (1 - self._dice.random() ** (1 / idle))
            self.later(self._fleet.notice if self._fleet.bells else asked, self._offer)

    def _offer(self) -> None:
        while self._idle and self._depth:
            self._claim(self._dice.choice(self._idle))

    def _claim(self, worker: Worker) -> None:
        now = _instant(self._now)
        lines = []
        for (priority, owner), tasks in self._waiting.items():
            if tasks:
                key = (priority, owner)
                first = tasks[0]
                standing = Line(
                    priority=priority, owner=OwnerId(UUID(int=owner)), running=self._running.get(key, 0),
                    served_at=self._served.get(key), oldest=first.due,
                )  # fmt: skip
                lines.append((standing, [(first.due, TaskId(UUID(int=first.number)))]))
        served = {priority: max(at for (p, _), at in self._served.items() if p == priority)
                  for priority in {p for p, _ in self._served}}  # fmt: skip
        since = waiting_since((line for line, _ in lines), served)
        chosen = claim_order(lines, since=since, now=now, limit=1)[0]
        task = self._tasks[chosen.int]
        key = (task.recording.priority, task.recording.owner)
        self._waiting[key].popleft()
        self._served[key] = now
        self._running[key] = self._running.get(key, 0) + 1
        self._depth -= 1
        self._in_work += 1
        if task.claimed < 0:
            task.claimed = self._now
        worker.tasks.add(task)
        worker.free -= 1
        if not worker.free:
            self._idle.remove(worker)
        self._work(worker, task)

    # One attempt

    def _work(self, worker: Worker, task: Task) -> None:
        costs, seconds, run = self._costs, task.recording.seconds, task.run

        def mine(step: Callable[[], None]) -> Callable[[], None]:
            return lambda: step() if task.run == run else None

        def decoded() -> None:
            worker.vad.join(self._call(task, seconds, seconds, mine(heard)))

        def heard() -> None:
            task.parts = 2 if costs.diarization else 1
            if costs.diarization:
                worker.diarization.join(self._call(task, seconds, seconds, mine(part_done)))
            recognise()

        def recognise() -> None:
            left = seconds - task.recognised
            if left <= 0:
                part_done()
                return
            size = min(self._fleet.window, left)

            def kept() -> None:
                task.recognised += size
                recognise()

            worker.asr.join(self._call(task, size, left, mine(kept)))

        def part_done() -> None:
            task.parts -= 1
            if not task.parts:
                self._end(worker, task)

        self.later(costs.fixed + costs.decoding * seconds, mine(decoded))

    def _call(self, task: Task, size: float, left: float, done: Callable[[], None]) -> Call:
        return Call(task, size, left, self._now + left / RATE, done)

    def _end(self, worker: Worker, task: Task) -> None:
        task.ended = self._now
        self._left -= 1
        self._leave(worker, task)
        if worker.alive:
            self._free_slot(worker)

    def _leave(self, worker: Worker, task: Task) -> None:
        worker.tasks.discard(task)
        self._running[task.recording.priority, task.recording.owner] -= 1
        self._in_work -= 1
        task.run += 1

    def _free_slot(self, worker: Worker) -> None:
        worker.free += 1
        if worker.free == 1:
            self._idle.append(worker)
        if self._depth:
            self._claim(worker)

    # Workers that come and go

    def _hire(self) -> None:
        fleet, costs = self._fleet, self._costs
        asr, diarization, vad = (
            Engine(self, fleet.places, cost, express=fleet.express)
            for cost in (costs.recognition, costs.diarization, costs.listening)
        )
        worker = Worker(fleet.slots, asr, diarization, vad, self._now)
        self._workers.append(worker)
        self._idle.append(worker)
        self._most = max(self._most, len(self._workers))
        if fleet.lost < math.inf:
            self.later(self._dice.expovariate(1 / fleet.lost), lambda: self._lose(worker))
        self._offer()

    def _lose(self, worker: Worker) -> None:
        if worker.alive:
            self._dismiss(worker, LEASE.total_seconds() + self._dice.uniform(0, SWEEP_SECONDS))
            self.later(self._fleet.away, self._hire)

    def _dismiss(self, worker: Worker, held: float) -> None:
        worker.alive = False
        self._workers.remove(worker)
        self._spent += self._now - worker.began
        if worker in self._idle:
            self._idle.remove(worker)
        for engine in (worker.asr, worker.diarization, worker.vad):
            engine.clear()
        for task in sorted(worker.tasks, key=lambda each: each.number):
            self._repeated += task.recording.seconds * (self._costs.decoding + self._costs.diarization)
            self._leave(worker, task)
            self.later(held, lambda task=task: self._again(task))  # type: ignore[misc]

    def _again(self, task: Task) -> None:
        task.due = _instant(self._now)
        self._arrive(task)

    def _scale(self) -> None:
        scaling = self._fleet.scaling
        assert scaling is not None
        heads = [tasks[0].due for tasks in self._waiting.values() if tasks]
        oldest = (_instant(self._now) - min(heads)).total_seconds() if heads else 0.0
        wished = max((self._depth + self._in_work) / scaling.tasks, oldest / scaling.oldest)
        self._wished.append((self._now, min(max(math.ceil(wished), scaling.least), scaling.most)))
        while self._wished[0][0] < self._now - scaling.stable:
            self._wished.popleft()
        have = len(self._workers) + self._coming
        target = self._wished[-1][1]
        if target > have:
            new = min(target, max(2 * have, have + 4)) - have
            self._coming += new
            for _ in range(new):
                self.later(scaling.startup, self._come)
        elif (keep := max(count for _, count in self._wished)) < have:
            for _ in range(min(have - keep, max(1, len(self._workers) // 16), len(self._workers) - scaling.least)):
                self._dismiss(self._dice.choice(self._workers), _HANDED_BACK)
        self.later(scaling.every, self._scale)

    def _come(self) -> None:
        self._coming -= 1
        self._hire()


def _instant(seconds: float) -> datetime:
    return _BEGAN + timedelta(seconds=seconds)


def erlang_c(places: int, load: float) -> float:
    """The probability that an arrival waits, of M/M/c with `load` erlangs, by the recursion of Erlang B."""
    blocked = 1.0
    for number in range(1, places + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / places * (1 - blocked))
