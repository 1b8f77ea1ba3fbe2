"""A task is followed by events where they come and by its row where they do not; it never goes back, nor costs more."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Self

import pytest

from adapters.events.in_process import InProcessEvents
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.system import SystemClock
from application import follow_task
from application.follow_task import FollowTask
from application.hold import event_of
from application.ports.notify import TaskEvent
from domain.errors import DatabaseUnavailable, TaskNotFound
from domain.task import OwnerId, Phase, TaskError, TaskId, TaskStatus
from tests.builders import OWNER, a_running_task

FOLLOWERS = 200


class Counted(MemoryUnitOfWork):
    """Counts the transactions, and fails while the database is away."""

    begun = 0
    away = False

    async def __aenter__(self) -> Self:
        type(self).begun += 1
        if self.away:
            raise DatabaseUnavailable("the database does not answer")
        return await super().__aenter__()


class Followed:
    """A running task that a test changes and others follow."""

    def __init__(self) -> None:
        self.database = MemoryDatabase(SystemClock())
        self.unit = type("Unit", (Counted,), {"begun": 0, "away": False})
        self.events = InProcessEvents()
        self.follow = FollowTask(new_uow=self.new_uow, events=self.events)
        self.id = TaskId(OWNER)

    def new_uow(self) -> MemoryUnitOfWork:
        made: MemoryUnitOfWork = self.unit(self.database)
        return made

    async def begin(self) -> Self:
        task = a_running_task(now=SystemClock().now())
        self.id = task.id
        async with MemoryUnitOfWork(self.database) as uow:
            await uow.tasks.add(task)
            await uow.commit()
        return self

    async def change(self, *, tell: bool = True, progress: float | None = None, end: str = "") -> TaskEvent:
        """Change the row; with `tell`, say so."""
        async with MemoryUnitOfWork(self.database) as uow:
            task = await uow.tasks.get(self.id)
            assert task is not None
            now = await uow.tasks.now()
            if progress is not None:
                task.advance(
                    token=task.token, phase=Phase.TRANSCRIBING, fraction=progress, progress=progress, eta_ms=None,
                    now=now,
                )  # fmt: skip
            if end:
                task.fail(token=task.token, error=TaskError(end, "it did"), now=now)
            await uow.tasks.save(task)
            await uow.commit()
        event = event_of(task)
        if tell:
            await self.events.publish(event)
        return event

    async def delete(self) -> None:
        async with MemoryUnitOfWork(self.database) as uow:
            await uow.tasks.delete(self.id)
            await uow.commit()

    def __call__(self, owner: OwnerId = OWNER) -> AsyncIterator[TaskEvent]:
        return self.follow(owner, self.id)


@pytest.fixture
async def followed() -> Followed:
    return await Followed().begin()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_task, "_DOUBT_SECONDS", 0.05)


async def soon(reading: AsyncIterator[TaskEvent]) -> TaskEvent:
    return await asyncio.wait_for(anext(reading), 5)


async def test_an_older_state_is_never_told_after_a_newer_one(followed: Followed) -> None:
    reading = followed()
    first = await soon(reading)
    late = await followed.change(progress=0.3, tell=False)
    await followed.change(progress=0.5)
    assert (await soon(reading)).progress == 0.5
    await followed.events.publish(late)  # it was on its way for longer
    await followed.events.publish(first)
    ended = await followed.change(end="engine_failed")
    rest = [event async for event in reading]
    assert rest == [ended]
    assert rest[0].error == TaskError("engine_failed", "it did")


async def test_progress_does_not_fall_when_an_attempt_begins_anew(followed: Followed) -> None:
    reading = followed()
    await followed.change(progress=0.6)
    seen = [await soon(reading)]
    async with MemoryUnitOfWork(followed.database) as uow:
        task = await uow.tasks.get(followed.id)
        assert task is not None
        now = await uow.tasks.now()
        task.release(token=task.token, now=now)
        task.claim(worker="another", now=now)
        await uow.tasks.save(task)
        await uow.commit()
    await followed.events.publish(event_of(task))
    seen.append(await soon(reading))
    await followed.change(progress=0.1)
    seen.append(await soon(reading))
    await followed.change(progress=0.7)
    seen.append(await soon(reading))
    assert [event.progress for event in seen] == [0.6, 0.6, 0.6, 0.7]


async def test_events_without_a_number_are_heard_too(followed: Followed) -> None:
    """A worker of the release before does not number them."""
    reading = followed()
    await soon(reading)
    told = replace(await followed.change(progress=0.4, tell=False), version=None)
    await followed.events.publish(told)
    assert (await soon(reading)).progress == 0.4


@pytest.mark.usefixtures("hasty")
async def test_when_nothing_is_told_the_row_is_read(followed: Followed) -> None:
    reading = followed()
    await soon(reading)
    await followed.change(progress=0.4, tell=False)
    assert (await soon(reading)).progress == 0.4
    await followed.change(end="engine_failed", tell=False)
    assert [event.status async for event in reading] == [TaskStatus.ERROR]


@pytest.mark.usefixtures("hasty")
async def test_a_database_that_goes_away_ends_nothing(followed: Followed) -> None:
    reading = followed()
    await soon(reading)
    followed.unit.away = True  # type: ignore[attr-defined] # of the class that was made for this
    waiting = asyncio.create_task(soon(reading))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    followed.unit.away = False  # type: ignore[attr-defined]
    await followed.change(progress=0.4, tell=False)
    assert (await waiting).progress == 0.4


@pytest.mark.usefixtures("hasty")
async def test_a_deleted_task_is_told_of_as_none(followed: Followed) -> None:
    reading, other = followed(), followed()
    await soon(reading)
    await soon(other)
    await followed.delete()
    for each in (reading, other):
        with pytest.raises(TaskNotFound):
            await soon(each)


async def test_a_stranger_is_told_nothing(followed: Followed) -> None:
    reading = followed()
    await soon(reading)
    stranger = OwnerId(followed.id)
    with pytest.raises(TaskNotFound):
        await soon(followed(stranger))


@pytest.mark.usefixtures("hasty")
async def test_what_breaks_the_watch_is_told_to_its_followers(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = followed()
    await soon(reading)
    monkeypatch.setattr(followed, "unit", None)
    with pytest.raises(TypeError):
        await soon(reading)


async def test_many_followers_cost_the_database_what_one_does(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_task, "_DOUBT_SECONDS", 0.25)
    readings = [followed() for _ in range(FOLLOWERS)]
    for reading in readings:
        await soon(reading)
    before = followed.unit.begun  # type: ignore[attr-defined]
    assert before <= FOLLOWERS + 8, "one look each to begin with: is it theirs?"
    waiting = [asyncio.create_task(soon(reading)) for reading in readings]
    await asyncio.sleep(1.0)
    spent = followed.unit.begun - before  # type: ignore[attr-defined]
    assert 1 <= spent <= 8
    await followed.change(progress=0.4)
    assert {event.progress for event in await asyncio.gather(*waiting)} == {0.4}
    assert followed.unit.begun - before - spent <= 2  # type: ignore[attr-defined]


async def test_nothing_is_left_behind(followed: Followed) -> None:
    running = len(asyncio.all_tasks())
    for _ in range(50):
        reading = followed()
        await soon(reading)
        await reading.aclose()  # type: ignore[attr-defined] # of generators
    await asyncio.sleep(0.05)
    assert not followed.follow._watches
    assert len(asyncio.all_tasks()) == running


async def test_a_slow_reader_skips_to_the_latest(followed: Followed) -> None:
    reading = followed()
    await soon(reading)
    for number in range(100):
        await followed.change(progress=number / 100)
    await asyncio.sleep(0.05)
    assert (await soon(reading)).progress == 0.99
    waiting = asyncio.create_task(soon(reading))
    await asyncio.sleep(0.05)
    assert not waiting.done(), "and hears nothing of what it skipped"
    waiting.cancel()
