"""The doorbell against its contract, and the consumers' side of it."""

import asyncio
from uuid import UUID

import pytest

from adapters.queue.in_process import InProcessQueue
from application.ports.queue import Job, TaskQueue
from tests.contracts.proof import failures
from tests.contracts.suite import Suite
from tests.contracts.task_queue import FIRST, SECOND, THIRD, Rung, TaskQueueContract

JOB = Job.PROCESS_TASK


def listening(queue: InProcessQueue) -> Rung:
    async def rung() -> list[tuple[Job, UUID]]:
        heard = []
        try:
            while True:
                heard.append(await asyncio.wait_for(queue.next(), 0.02))
        except TimeoutError:
            return heard

    return rung


class TestInProcessQueue(TaskQueueContract, adapter=InProcessQueue):
    @pytest.fixture
    def queue(self) -> InProcessQueue:
        return InProcessQueue()

    @pytest.fixture
    def rung(self, queue: InProcessQueue) -> Rung:
        return listening(queue)


async def test_a_ring_that_waits_is_not_kept_twice() -> None:
    queue = InProcessQueue()
    for subject in (FIRST, SECOND, FIRST):
        await queue.enqueue(JOB, subject)
    assert await listening(queue)() == [(JOB, FIRST), (JOB, SECOND)]


async def test_a_ring_during_the_work_is_heard_after_it() -> None:
    queue = InProcessQueue()
    await queue.enqueue(JOB, FIRST)
    assert await queue.next() == (JOB, FIRST)
    await queue.enqueue(JOB, FIRST)
    assert await queue.next() == (JOB, FIRST)


async def test_each_ring_wakes_one_of_several_consumers() -> None:
    queue = InProcessQueue()
    consumers = [asyncio.create_task(queue.next()) for _ in range(3)]
    await asyncio.sleep(0)
    for subject in (FIRST, SECOND, THIRD):
        await queue.enqueue(JOB, subject)
    assert {subject for _, subject in await asyncio.gather(*consumers)} == {FIRST, SECOND, THIRD}


async def test_a_cancelled_consumer_loses_no_ring() -> None:
    queue = InProcessQueue()
    consumers = [asyncio.create_task(queue.next()) for _ in range(2)]
    await asyncio.sleep(0)
    await queue.enqueue(JOB, FIRST)
    consumers[0].cancel()  # awake already, but cancelled before it could take the ring
    assert await asyncio.wait_for(consumers[1], 1) == (JOB, FIRST)
    with pytest.raises(asyncio.CancelledError):
        await consumers[0]


async def test_memory_is_bounded_by_dropping_rings() -> None:
    queue = InProcessQueue(capacity=2)
    for subject in (FIRST, SECOND, THIRD):
        await queue.enqueue(JOB, subject)
    assert await listening(queue)() == [(JOB, FIRST), (JOB, SECOND)]
    await queue.enqueue(JOB, THIRD)
    assert await queue.next() == (JOB, THIRD)


class Deaf(InProcessQueue):
    async def enqueue(self, job: Job, subject: UUID) -> None:
        pass


class Backwards(InProcessQueue):
    async def enqueue(self, job: Job, subject: UUID) -> None:
        await super().enqueue(job, subject)
        self._waiting = dict(reversed(self._waiting.items()))


class HearsOnce(InProcessQueue):
    def __init__(self) -> None:
        super().__init__()
        self._heard: set[UUID] = set()

    async def enqueue(self, job: Job, subject: UUID) -> None:
        if subject not in self._heard:
            self._heard.add(subject)
            await super().enqueue(job, subject)


class WaitsForAConsumer(InProcessQueue):
    async def enqueue(self, job: Job, subject: UUID) -> None:
        await super().enqueue(job, subject)
        if len(self._waiting) > 100:
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (Deaf, "test_a_ring_is_heard"),
        (Backwards, "test_rings_are_heard_in_order"),
        (HearsOnce, "test_ringing_again_is_heard_at_least_once"),
        (WaitsForAConsumer, "test_ringing_waits_for_nobody"),
    ],
)
async def test_the_contract_catches(broken: type[InProcessQueue], caught_by: str) -> None:
    made: list[InProcessQueue] = []

    def queue() -> TaskQueue:
        made.append(broken())
        return made[-1]

    assert await failures(TaskQueueContract, caught_by, queue=queue, rung=lambda: listening(made[-1]))


def test_a_binding_cannot_weaken_the_contract() -> None:
    with pytest.raises(TypeError, match="overrides contract tests"):

        class Weakened(TaskQueueContract):
            async def test_a_ring_is_heard(self) -> None:  # type: ignore[override]
                pass

    assert issubclass(TestInProcessQueue, Suite)
