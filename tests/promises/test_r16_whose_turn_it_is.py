"""R-16 and A-06: higher priority first, owners in turn, nobody starves; and nobody gives itself a priority.

The order is simulated over hours of work in slots; the real databases give that order, by the repository's contract.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.persistence.sql import SqlUnitOfWork
from application.claim_task import ClaimTask
from domain.task import OwnerId, TaskId
from domain.turns import AGEING, Line, claim_order, waiting_since
from tests.builders import NOW, a_task
from tests.promises.sql_api import SqlApi, database

MANY, FEW = OwnerId(UUID(int=8)), OwnerId(UUID(int=9))
LONGEST = 1_800


@dataclass(order=True)
class Job:
    """Something to do for `seconds`, from when it was handed in."""

    due: int
    number: int
    owner: int
    priority: int
    seconds: int
    begun: int = field(default=-1, compare=False)

    @property
    def line(self) -> tuple[int, int]:
        return self.priority, self.owner


jobs = st.lists(
    st.builds(
        Job,
        due=st.integers(0, 7_200),
        number=st.just(0),
        owner=st.integers(1, 5),
        priority=st.sampled_from([0, 0, 1, 5]),
        seconds=st.integers(1, LONGEST),
    ),
    min_size=1,
    max_size=60,
)


def pick(waiting: list[Job], running: list[Job], served: dict[tuple[int, int], int], at: int) -> Job:
    """Return the job whose turn it is, as the rules have it."""

    def instant(second: int) -> timedelta:
        return timedelta(seconds=second)

    lines = []
    for key in {job.line for job in waiting}:
        own = sorted(job for job in waiting if job.line == key)
        line = Line(
            priority=key[0],
            owner=OwnerId(UUID(int=key[1])),
            running=sum(job.line == key for job in running),
            served_at=NOW + instant(served[key]) if key in served else None,
            oldest=NOW + instant(own[0].due),
        )
        lines.append((line, [(NOW + instant(job.due), TaskId(UUID(int=job.number))) for job in own]))
    by_priority: dict[int, int] = {}
    for (priority, _), second in served.items():
        by_priority[priority] = max(second, by_priority.get(priority, second))
    since = waiting_since([line for line, _ in lines], {each: NOW + instant(by_priority[each]) for each in by_priority})
    (first,) = claim_order(lines, since=since, now=NOW + instant(at), limit=1)
    return next(job for job in waiting if job.number == first.int)


@settings(deadline=None, max_examples=200)
@given(handed_in=jobs, slots=st.integers(1, 3))
def test_r16_nobody_starves_and_what_is_urgent_goes_first(handed_in: list[Job], slots: int) -> None:
    for number, job in enumerate(handed_in):
        job.number = number
    served: dict[tuple[int, int], int] = {}
    of_priority: dict[int, int] = {}
    passed_over: dict[tuple[int, int], list[int]] = {}
    running: list[Job] = []
    at, left = 0, list(handed_in)
    while left:
        running = [job for job in running if job.begun + job.seconds > at]
        waiting = [job for job in left if job.due <= at]
        if not waiting or len(running) == slots:
            events = [job.begun + job.seconds for job in running] + [job.due for job in left if job.due > at]
            at = min(event for event in events if event > at)
            continue
        chosen = pick(waiting, running, served, at)
        highest = max(job.priority for job in waiting)
        waited = {
            priority: at - max(min(j.due for j in waiting if j.priority == priority), of_priority.get(priority, 0))
            for priority in {job.priority for job in waiting}
        }
        ageing = int(AGEING.total_seconds())
        risen = waited[chosen.priority] // ageing
        assert chosen.priority + risen >= highest, "what goes before the urgent has waited for it"
        for priority, seconds in waited.items():
            bound = (highest - priority + 1) * ageing + 3 * LONGEST
            assert seconds <= bound, f"priority {priority} starves beside {highest}"
        assert chosen == min(job for job in waiting if job.line == chosen.line), "the oldest of its line"
        busy = {job.line for job in running}
        for line in {job.line for job in waiting} - busy - {chosen.line}:
            if line[0] == chosen.priority:
                passed_over.setdefault(line, []).append(chosen.owner)
                before = passed_over[line]
                assert len(before) == len(set(before)), "each other owner goes at most once before it"
        passed_over.pop(chosen.line, None)
        served[chosen.line] = of_priority[chosen.priority] = chosen.begun = at
        running.append(chosen)
        left.remove(chosen)


def test_r16_a_stream_of_urgent_work_starves_nobody() -> None:
    """One slot, which urgent tasks of a minute each would keep busy for ever."""
    urgent = [Job(due=60 * minute, number=minute, owner=1, priority=3, seconds=60) for minute in range(120)]
    low = [Job(due=0, number=1_000 + number, owner=2, priority=0, seconds=60) for number in range(2)]
    waiting, served, begun = [*urgent, *low], dict[tuple[int, int], int](), dict[int, int]()
    for at in range(0, 120 * 60, 60):
        chosen = pick([job for job in waiting if job.due <= at], [], served, at)
        waiting.remove(chosen)
        served[chosen.line] = begun[chosen.number] = at
    gap = 3 * int(AGEING.total_seconds())
    assert gap <= begun[1_000] <= gap + 60, "after three steps of age, and a minute for the one that runs"
    assert gap <= begun[1_001] - begun[1_000] <= gap + 60, "the next of its line waits as long again"


@pytest.fixture(params=["sqlite", "postgres"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlApi]:
    async with database(request, tmp_path) as engine:
        yield SqlApi(tmp_path, engine)


@pytest.mark.timeout(60)
async def test_r16_one_task_does_not_wait_behind_five_hundred(api: SqlApi) -> None:
    claim = ClaimTask(new_uow=lambda: SqlUnitOfWork(api.engine), worker="w")
    async with api.new_uow() as uow:
        for _ in range(500):
            await uow.tasks.add(a_task(owner=MANY))
        await uow.commit()
    begun = [await claim.next() for _ in range(2)]
    few = a_task(owner=FEW, run_after=NOW + timedelta(hours=1))
    urgent = a_task(owner=MANY, priority=9, run_after=NOW + timedelta(hours=1))
    async with api.new_uow() as uow:
        for task in (few, urgent):
            await uow.tasks.add(task)
        await uow.commit()
        # For long the five hundred have waited: their priority has risen, but one was begun a moment ago.
        assert await uow.tasks.position(urgent) == 0
        assert await uow.tasks.position(few) == 1
    begun += [await claim.next() for _ in range(4)]
    owners = [task.owner for task in begun if task]
    assert [task.id for task in begun[2:4] if task] == [urgent.id, few.id]
    assert owners == [MANY, MANY, MANY, FEW, MANY, MANY]


async def test_r16_a_key_has_a_priority_and_what_is_handed_in_takes_it(api: SqlApi) -> None:
    ids = []
    for priority in (0, 7):
        _, secret = await api.keys.issue("batch", priority=priority)
        async with api.client({"Authorization": f"Bearer {secret}"}) as client:
            answer = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"RIFF")})
            ids.append(answer.json()["task_id"])
    assert [(str(task.id), task.priority) for task in await api.queued()] == [(ids[1], 7), (ids[0], 0)]


@pytest.mark.parametrize("name", ["priority", "owner", "status", "tenant_id", "role", "attempt"])
async def test_a06_nobody_assigns_what_is_not_theirs(api: SqlApi, name: str) -> None:
    async with api.client(await api.issue_key()) as client:
        answer = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"RIFF")}, data={name: "9"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_options")
    assert await api.queued() == []
