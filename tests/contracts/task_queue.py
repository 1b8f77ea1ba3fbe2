"""What every doorbell promises. Bindings give `queue` and `rung`, which takes what has reached the consumers' side."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid5

from application.ports.queue import Job, TaskQueue
from tests.contracts.suite import Suite

Rung = Callable[[], Awaitable[list[tuple[Job, UUID]]]]
FIRST, SECOND, THIRD = (uuid5(UUID(int=0), name) for name in ("first", "second", "third"))


class TaskQueueContract(Suite):
    """Ringing for a job."""

    async def test_a_ring_is_heard(self, queue: TaskQueue, rung: Rung) -> None:
        await queue.enqueue(Job.PROCESS_TASK, FIRST)
        assert await rung() == [(Job.PROCESS_TASK, FIRST)]

    async def test_rings_are_heard_in_order(self, queue: TaskQueue, rung: Rung) -> None:
        for subject in (FIRST, SECOND, THIRD):
            await queue.enqueue(Job.PROCESS_TASK, subject)
        assert [subject for _, subject in await rung()] == [FIRST, SECOND, THIRD]

    async def test_ringing_again_is_heard_at_least_once(self, queue: TaskQueue, rung: Rung) -> None:
        for _ in range(3):
            await queue.enqueue(Job.PROCESS_TASK, FIRST)
        assert set(await rung()) == {(Job.PROCESS_TASK, FIRST)}
        await queue.enqueue(Job.PROCESS_TASK, FIRST)
        assert set(await rung()) == {(Job.PROCESS_TASK, FIRST)}

    async def test_what_can_be_rung_says_so(self, queue: TaskQueue) -> None:
        assert await queue.answers() is True

    async def test_ringing_waits_for_nobody(self, queue: TaskQueue) -> None:
        async with asyncio.timeout(0.8):
            for number in range(200):
                await queue.enqueue(Job.PROCESS_TASK, UUID(int=number))
