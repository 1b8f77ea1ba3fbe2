"""Events inside one process and through a real Redis against their contract, and through a Redis that fails."""

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from adapters.events import redis as redis_events
from adapters.events.in_process import InProcessEvents
from adapters.events.redis import RedisEvents
from application.ports.notify import EventPublisher, TaskEvent
from domain.task import TaskId
from tests.contracts.events import BEGUN, DONE, HALF, OTHER, TASK, EventPublisherContract, all_of, soon
from tests.contracts.proof import failures
from tests.servers.fault_proxy import FaultProxy
from tests.servers.redis import RedisServer


class TestInProcessEvents(EventPublisherContract, adapter=InProcessEvents):
    @pytest.fixture
    def events(self) -> EventPublisher:
        return InProcessEvents()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisEvents]:
    events = RedisEvents(url)
    try:
        yield events
    finally:
        await events.close()


async def subscribed(events: RedisEvents) -> RedisEvents:
    events.follow(OTHER)
    await asyncio.wait_for(events._subscribed.wait(), 5)
    return events


class TestRedisEvents(EventPublisherContract, adapter=RedisEvents):
    @pytest.fixture
    async def events(self, redis: RedisServer) -> AsyncIterator[EventPublisher]:
        async with opened(redis.url()) as events:
            yield await subscribed(events)


class Across(EventPublisher):
    """One publisher's events as another one's followers hear them, as between processes."""

    def __init__(self, here: EventPublisher, there: EventPublisher) -> None:
        self._here, self._there = here, there

    async def publish(self, event: TaskEvent) -> None:
        await self._here.publish(event)

    def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        return self._there.follow(task_id)

    async def close(self) -> None:
        await self._here.close()


class TestRedisEventsElsewhere(EventPublisherContract):
    @pytest.fixture
    async def events(self, redis: RedisServer) -> AsyncIterator[EventPublisher]:
        async with opened(redis.url()) as here, opened(redis.url()) as there:
            yield Across(here, await subscribed(there))


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


async def heard_again(events: RedisEvents, reading: AsyncIterator[TaskEvent], patience: float = 8.0) -> float:
    """Publish until something is heard, as a running task does; return the seconds that took."""
    started, coming = time.monotonic(), asyncio.ensure_future(anext(reading))
    while not coming.done():
        assert time.monotonic() - started < patience, "events did not come back"
        await events.publish(replace(BEGUN, duration=time.monotonic_ns()))
        await asyncio.wait([coming], timeout=0.05)
    return time.monotonic() - started


async def test_one_subscription_serves_all_followers(redis: RedisServer) -> None:
    async with opened(redis.url()) as events:
        readings = [events.follow(TaskId(UUID(int=number))) for number in range(200)]
        await asyncio.wait_for(events._subscribed.wait(), 5)
        with redis.client() as client:
            assert len(client.client_list(_type="pubsub")) == 1
        await events.publish(replace(DONE, task_id=TaskId(UUID(int=150))))
        assert (await soon(readings[150])).status is DONE.status


async def test_databases_of_one_redis_do_not_hear_each_other(redis: RedisServer) -> None:
    async with opened(redis.url(database=1)) as here, opened(redis.url(database=2)) as there:
        reading = (await subscribed(there)).follow(TASK)
        await here.publish(DONE)
        with pytest.raises(TimeoutError):
            await soon(reading)


async def test_what_is_not_an_event_is_passed_over(redis: RedisServer) -> None:
    async with opened(redis.url()) as events:
        reading = (await subscribed(events)).follow(TASK)
        with redis.client() as client:
            for rubbish in (b"", b"\xff", b"{}", b'{"task_id": 1}'):
                assert client.publish("colloquy:events:0", rubbish) == 1
        await events.publish(HALF)
        assert await soon(reading) == HALF


@pytest.mark.parametrize("fault", ["refuse", "swallow"])
async def test_publishing_never_waits_and_keeps_a_bounded_outbox(redis: RedisServer, fault: str) -> None:
    with FaultProxy(redis.port) as proxy:
        getattr(proxy, fault)()
        async with opened(redis.url(port=proxy.port)) as events:
            started = time.monotonic()
            for number in range(5_000):
                await events.publish(replace(BEGUN, task_id=TaskId(UUID(int=number))))
            assert time.monotonic() - started < 0.5
            await asyncio.sleep(0.3)
            assert len(events._outbox) == 1_000
            proxy.heal()
            async with asyncio.timeout(5):
                while events._outbox:  # noqa: ASYNC110 - the subject empties it
                    await asyncio.sleep(0.01)


async def test_events_flow_again_after_redis_forgot_and_after_it_died() -> None:
    with RedisServer() as own:
        async with opened(own.url()) as events, opened(own.url()) as other:
            reading = (await subscribed(other)).follow(TASK)
            await events.publish(BEGUN)
            assert await soon(reading) == BEGUN
            own.flush()
            await events.publish(HALF)
            assert await soon(reading) == HALF
            own.kill()
            for _ in range(20):
                await events.publish(BEGUN)
                await asyncio.sleep(0.05)
            own.start()
            assert await heard_again(events, reading) < 5
            await events.publish(DONE)
            assert (await all_of(reading))[-1] == DONE


async def test_events_flow_again_after_resets_and_a_black_hole(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_events, "_SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(redis_events, "_ANSWER_SECONDS", 0.2)
    with FaultProxy(redis.port) as proxy:
        async with opened(redis.url(port=proxy.port)) as events:
            reading = (await subscribed(events)).follow(TASK)
            for fault in (proxy.reset, proxy.half_close):
                assert await heard_again(events, reading) < 2
                fault()
            assert await heard_again(events, reading) < 2
            proxy.swallow()
            before = proxy.connections
            async with asyncio.timeout(5):
                while proxy.connections < before + 3:  # noqa: ASYNC110 - it tries again by itself
                    await asyncio.sleep(0.01)
            proxy.heal()
            assert await heard_again(events, reading) < 3


PUBLISHER = """
import asyncio, sys, time
from dataclasses import replace
from adapters.events.redis import RedisEvents
from tests.contracts.events import BEGUN, DONE

async def main():
    events = RedisEvents(sys.argv[1])
    for number in range(int(sys.argv[2])):
        await events.publish(replace(BEGUN, duration=time.monotonic_ns()))
        await asyncio.sleep(0.005)
    await events.publish(DONE)
    await events.close()

asyncio.run(main())
"""


async def test_another_process_is_heard_at_once(redis: RedisServer) -> None:
    rounds = 300
    async with opened(redis.url()) as events:
        reading = (await subscribed(events)).follow(TASK)
        arguments = (sys.executable, "-c", PUBLISHER, redis.url(), str(rounds))
        process = await asyncio.create_subprocess_exec(*arguments, cwd=Path(__file__).parents[2])
        async with asyncio.timeout(15):
            heard = [(event.duration or 0, time.monotonic_ns()) async for event in reading]
            assert await process.wait() == 0
    late = sorted((at - published) / 1e6 for published, at in heard[:-1])
    figures = {"heard": len(late), "median_ms": late[len(late) // 2], "p95_ms": late[len(late) * 95 // 100]}
    assert figures["heard"] > rounds // 2, figures
    assert figures["p95_ms"] < 250, figures  # about one on a machine with nothing else to do
