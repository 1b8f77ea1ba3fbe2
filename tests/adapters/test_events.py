"""Events inside one process against their contract, and that nothing is kept without followers."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from adapters.events.in_process import InProcessEvents
from application.ports.notify import EventPublisher, TaskEvent
from domain.task import TaskId
from tests.contracts.events import BEGUN, DONE, HALF, TASK, EventPublisherContract, all_of, soon
from tests.contracts.proof import failures


class TestInProcessEvents(EventPublisherContract, adapter=InProcessEvents):
    @pytest.fixture
    def events(self) -> EventPublisher:
        return InProcessEvents()


async def test_nothing_is_kept_without_followers() -> None:
    events = InProcessEvents()
    await events.publish(BEGUN)
    assert len(events._topics) == 0
    never_read, read = events.follow(TASK), events.follow(TASK)
    waiting = asyncio.create_task(soon(events.follow(TASK)))
    await asyncio.sleep(0)
    await events.publish(HALF)
    assert await soon(read) == await waiting == HALF
    assert len(events._topics) == 1
    del never_read, read, waiting
    gc.collect()
    await asyncio.sleep(0.01)  # the loop closes generators that were dropped half way
    assert len(events._topics) == 0


async def test_a_follower_who_joins_after_the_end_is_told_at_once() -> None:
    events = InProcessEvents()
    first = events.follow(TASK)
    await events.publish(DONE)
    assert await all_of(events.follow(TASK)) == [DONE]
    assert await all_of(first) == [DONE]


class RemembersThePast(InProcessEvents):
    past: TaskEvent | None = None

    async def publish(self, event: TaskEvent) -> None:
        self.past = self.past or event
        await super().publish(event)

    async def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        if self.past:
            yield self.past
        async for event in super().follow(task_id):
            yield event


class HearsEverything(InProcessEvents):
    def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:  # noqa: ARG002
        return super().follow(TASK)

    async def publish(self, event: TaskEvent) -> None:
        topic = self._topics.get(TASK)
        if topic:
            topic.latest, topic.count = event, topic.count + 1
            topic.changed.set()
            topic.changed = asyncio.Event()


class NeverEnds(InProcessEvents):
    async def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        async for event in super().follow(task_id):
            yield event
        await asyncio.Event().wait()


class KeepsEveryEvent(InProcessEvents):
    def __init__(self) -> None:
        super().__init__()
        self._queues: list[asyncio.Queue[TaskEvent]] = []

    async def publish(self, event: TaskEvent) -> None:
        for queue in self._queues:
            queue.put_nowait(event)

    def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:  # noqa: ARG002
        queue: asyncio.Queue[TaskEvent] = asyncio.Queue()
        self._queues.append(queue)
        return self._read(queue)

    async def _read(self, queue: asyncio.Queue[TaskEvent]) -> AsyncIterator[TaskEvent]:
        while True:
            event = await queue.get()
            yield event
            if event.status.final:
                return


class StartsLate(InProcessEvents):
    async def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        async for event in super().follow(task_id):
            yield event


class TellsOneFollower(InProcessEvents):
    def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        self._topics.pop(task_id, None)
        return super().follow(task_id)


class LeavingTakesAll(InProcessEvents):
    def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        return self._read(task_id, super().follow(task_id))

    async def _read(self, task_id: TaskId, reading: AsyncIterator[TaskEvent]) -> AsyncIterator[TaskEvent]:
        try:
            async for event in reading:
                yield event
        finally:
            self._topics.pop(task_id, None)


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (RemembersThePast, "test_following_starts_with_the_call"),
        (StartsLate, "test_following_starts_with_the_call"),
        (HearsEverything, "test_other_tasks_are_not_heard"),
        (HearsEverything, "test_the_end_is_heard_although_an_older_event_comes_late"),
        (NeverEnds, "test_it_ends_after_any_final_event"),
        (KeepsEveryEvent, "test_a_slow_reader_skips_to_the_latest"),
        (TellsOneFollower, "test_every_follower_hears"),
        (LeavingTakesAll, "test_a_follower_that_goes_away_disturbs_nobody"),
    ],
)
async def test_the_contract_catches(broken: type[InProcessEvents], caught_by: str) -> None:
    assert await failures(EventPublisherContract, caught_by, events=broken)
