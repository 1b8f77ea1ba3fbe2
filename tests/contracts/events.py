"""What every publisher of progress promises. Bindings give `events`."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

from application.ports.notify import EventPublisher, TaskEvent
from domain.task import Phase, TaskId, TaskStatus
from tests.contracts.suite import Suite

TASK, OTHER = TaskId(UUID(int=1)), TaskId(UUID(int=2))
BEGUN = TaskEvent(
    task_id=TASK,
    status=TaskStatus.PROCESSING,
    phase=Phase.TRANSCRIBING,
    phase_fraction=0.25,
    progress=0.125,
    eta_ms=8_000,
)
HALF = replace(BEGUN, phase_fraction=0.75, progress=0.5, eta_ms=4_000)
DONE = replace(BEGUN, status=TaskStatus.DONE, phase=Phase.FINISHING, phase_fraction=1.0, progress=1.0, eta_ms=0)


async def soon(reading: AsyncIterator[TaskEvent]) -> TaskEvent:
    return await asyncio.wait_for(anext(reading), 0.5)


async def all_of(reading: AsyncIterator[TaskEvent]) -> list[TaskEvent]:
    async with asyncio.timeout(0.5):
        return [event async for event in reading]


class EventPublisherContract(Suite):
    """Telling followers how a task goes."""

    async def test_a_follower_hears_each_event(self, events: EventPublisher) -> None:
        reading = events.follow(TASK)
        for event in (BEGUN, HALF, DONE):
            await events.publish(event)
            assert await soon(reading) == event

    async def test_following_starts_with_the_call(self, events: EventPublisher) -> None:
        await events.publish(BEGUN)
        reading = events.follow(TASK)
        await events.publish(DONE)
        assert await all_of(reading) == [DONE]

    async def test_a_waiting_follower_is_woken(self, events: EventPublisher) -> None:
        waiting = asyncio.create_task(soon(events.follow(TASK)))
        await asyncio.sleep(0.01)
        await events.publish(HALF)
        assert await waiting == HALF

    async def test_every_follower_hears(self, events: EventPublisher) -> None:
        readings = [asyncio.create_task(all_of(events.follow(TASK))) for _ in range(3)]
        await asyncio.sleep(0.01)
        await events.publish(DONE)
        assert await asyncio.gather(*readings) == [[DONE], [DONE], [DONE]]

    async def test_other_tasks_are_not_heard(self, events: EventPublisher) -> None:
        reading = events.follow(TASK)
        await events.publish(BEGUN)
        await events.publish(replace(HALF, task_id=OTHER))
        assert await soon(reading) == BEGUN

    async def test_it_ends_after_any_final_event(self, events: EventPublisher) -> None:
        for status in TaskStatus:
            if status.final:
                reading = events.follow(TASK)
                last = replace(HALF, status=status)
                await events.publish(last)
                assert await all_of(reading) == [last]

    async def test_a_slow_reader_skips_to_the_latest(self, events: EventPublisher) -> None:
        reading = events.follow(TASK)
        for number in range(1000):
            await events.publish(replace(BEGUN, progress=number / 1000))
        await events.publish(HALF)
        assert await soon(reading) == HALF
        await events.publish(BEGUN)
        await events.publish(DONE)
        assert await all_of(reading) == [DONE]

    async def test_the_end_is_heard_although_an_older_event_comes_late(self, events: EventPublisher) -> None:
        reading = events.follow(TASK)
        await events.publish(DONE)
        await events.publish(HALF)
        assert await all_of(reading) == [DONE]

    async def test_a_follower_that_goes_away_disturbs_nobody(self, events: EventPublisher) -> None:
        leaving, staying = asyncio.create_task(soon(events.follow(TASK))), events.follow(TASK)
        await asyncio.sleep(0.01)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await events.publish(BEGUN)
        assert await soon(staying) == BEGUN
