"""The doorbell against its contract, and the consumers' side of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from redis import Redis

from adapters.queue.dramatiq import CAPACITY, DramatiqQueue, queue_name
from adapters.queue.dramatiq_brokers import QUEUE_LENGTH, RabbitmqDoorbell, RedisDoorbell, make_broker
from adapters.queue.in_process import InProcessQueue
from application.ports.queue import Job, TaskQueue
from tests.contracts.proof import failures
from tests.contracts.suite import Suite
from tests.contracts.task_queue import FIRST, SECOND, THIRD, Rung, TaskQueueContract
from tests.servers.fault_proxy import FaultProxy
from tests.servers.redis import RedisServer

JOB = Job.PROCESS_TASK
Doorbell = RedisDoorbell | RabbitmqDoorbell


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


async def test_each_job_is_heard_by_its_own_consumers() -> None:
    queue = InProcessQueue()
    await queue.enqueue(Job.DELIVER_WEBHOOK, FIRST)
    await queue.enqueue(JOB, SECOND)
    assert await queue.next() == (JOB, SECOND)
    assert await queue.next(Job.DELIVER_WEBHOOK) == (Job.DELIVER_WEBHOOK, FIRST)


async def test_memory_is_bounded_by_dropping_rings() -> None:
    queue = InProcessQueue(capacity=2)
    for subject in (FIRST, SECOND, THIRD):
        await queue.enqueue(JOB, subject)
    assert await listening(queue)() == [(JOB, FIRST), (JOB, SECOND)]
    await queue.enqueue(JOB, THIRD)
    assert await queue.next() == (JOB, THIRD)


QUEUE = queue_name(JOB, "cpu")


class Ears:
    """Takes what rings, as a worker's consumer does, and settles it."""

    def __init__(self, broker: Doorbell) -> None:
        self.broker = broker
        self.consumer = broker.consume(QUEUE, prefetch=8, timeout=15)

    def close(self) -> None:
        self.consumer.close()
        self.broker.close()

    def hear(self, quiet: float = 0.4) -> list[tuple[Job, UUID]]:
        """Listen until nothing has rung for so many seconds."""
        heard: list[tuple[Job, UUID]] = []
        until = time.monotonic() + 5 * quiet
        while time.monotonic() < until:
            message = next(self.consumer)
            if message is not None:
                heard.append((Job(message.actor_name), UUID(message.args[0])))
                self.consumer.ack(message)
                until = time.monotonic() + quiet
        return heard


class Doorbells:
    """A broker's address, and queues and ears on it that are closed at the end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._queues: list[DramatiqQueue] = []
        self._ears: list[Ears] = []

    def queue(self, url: str = "", **options: Any) -> DramatiqQueue:
        broker = make_broker(url or self.url)
        self._queues.append(DramatiqQueue(broker, ["cpu"], tend=broker.tend, ask=broker.ask, **options))
        return self._queues[-1]

    def ears(self, accepts: Callable[[], bool] = lambda: True) -> Ears:
        self._ears.append(Ears(make_broker(self.url, accepts)))
        return self._ears[-1]

    async def close(self) -> None:
        for queue in self._queues:
            await queue.close()
        for ears in self._ears:
            ears.close()


@pytest.fixture(params=[pytest.param("redis"), pytest.param("rabbitmq", marks=pytest.mark.slow)])
async def doorbells(request: pytest.FixtureRequest) -> AsyncIterator[Doorbells]:
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        made = Doorbells(server.url(database=7))
        with Redis.from_url(made.url) as client:
            client.flushdb()
    else:
        made = Doorbells(request.getfixturevalue("rabbitmq").url())
    first = made.ears()
    await asyncio.to_thread(first.hear, 0.1)  # the queue is there, and empty
    first.close()  # or RabbitMQ would bring it what rings
    yield made
    await made.close()


@pytest.mark.timeout(60)  # RabbitMQ takes ten seconds to start
class TestDramatiqQueue(TaskQueueContract, adapter=DramatiqQueue):
    @pytest.fixture
    def queue(self, doorbells: Doorbells) -> TaskQueue:
        return doorbells.queue()

    @pytest.fixture
    def rung(self, doorbells: Doorbells) -> Rung:
        ears = doorbells.ears()

        async def rung() -> list[tuple[Job, UUID]]:
            return await asyncio.to_thread(ears.hear)

        return rung


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_broker_that_is_away_delays_and_fails_nothing_and_is_rung_when_it_is_back(
    doorbells: Doorbells,
) -> None:
    with FaultProxy(int(urlsplit(doorbells.url).port or 0)) as proxy:
        queue = doorbells.queue(doorbells.url.replace(f":{urlsplit(doorbells.url).port}", f":{proxy.port}"))
        await queue.enqueue(JOB, FIRST)
        ears = doorbells.ears()
        assert await asyncio.to_thread(ears.hear) == [(JOB, FIRST)]
        for fault in (proxy.refuse, proxy.swallow):
            fault()
            proxy.reset()
            assert await queue.answers() is False
            begun = time.monotonic()
            for number in range(2 * CAPACITY):
                await queue.enqueue(JOB, UUID(int=number))
            assert time.monotonic() - begun < 0.5
            await asyncio.sleep(1)
            proxy.heal()
            await asyncio.to_thread(heard_again, queue, ears, asyncio.get_running_loop())


def heard_again(queue: DramatiqQueue, ears: Ears, loop: asyncio.AbstractEventLoop) -> None:
    """Ring for a new subject until it is heard; clients of brokers take some seconds to notice a dead connection."""
    for number in range(30):
        subject = UUID(int=10_000_000 + number)
        asyncio.run_coroutine_threadsafe(queue.enqueue(JOB, subject), loop).result()
        if (JOB, subject) in ears.hear(quiet=0.2):
            return
    pytest.fail("the broker is back, and nothing rings")


@pytest.mark.timeout(60)
async def test_whoever_has_no_use_for_a_ring_leaves_it_to_others(doorbells: Doorbells) -> None:
    accepting = True
    busy, idle = doorbells.ears(lambda: accepting), doorbells.ears(lambda: not accepting)
    queue = doorbells.queue()
    await queue.enqueue(JOB, FIRST)
    assert await asyncio.to_thread(busy.hear) == [(JOB, FIRST)]
    accepting = False
    await asyncio.to_thread(busy.hear, 0.02)
    await queue.enqueue(JOB, SECOND)
    assert await asyncio.to_thread(busy.hear) == []
    assert await asyncio.to_thread(idle.hear) == [(JOB, SECOND)]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_rings_that_nobody_hears_do_not_pile_up(doorbells: Doorbells) -> None:
    queue = doorbells.queue()
    for number in range(QUEUE_LENGTH + 100):
        queue._ring(JOB, UUID(int=number))
    assert len(doorbells.ears().hear(quiet=1.0)) == QUEUE_LENGTH


async def test_a_ring_goes_to_every_class_of_devices(redis: RedisServer) -> None:
    broker = make_broker(redis.url(database=8))
    queue = DramatiqQueue(broker, ["cpu", "cuda"])
    await queue.enqueue(JOB, FIRST)
    await queue.close()
    with Redis.from_url(redis.url(database=8)) as client:
        lengths = {name: client.llen(f"colloquy:inference.{name}") for name in ("cpu", "cuda")}
        client.flushdb()
    assert lengths == {"cpu": 1, "cuda": 1}


async def test_webhooks_have_one_queue_whatever_the_devices(redis: RedisServer) -> None:
    broker = make_broker(redis.url(database=8))
    queue = DramatiqQueue(broker, ["cpu", "cuda"])
    await queue.enqueue(Job.DELIVER_WEBHOOK, FIRST)
    await queue.close()
    with Redis.from_url(redis.url(database=8)) as client:
        length = client.llen("colloquy:delivery")
        client.flushdb()
    assert length == 1


class Deaf(InProcessQueue):
    async def enqueue(self, job: Job, subject: UUID) -> None:
        pass


class Backwards(InProcessQueue):
    async def enqueue(self, job: Job, subject: UUID) -> None:
        await super().enqueue(job, subject)
        self._waiting[job] = dict(reversed(self._waiting[job].items()))


class HearsOnce(InProcessQueue):
    def __init__(self) -> None:
        super().__init__()
        self._heard: set[UUID] = set()

    async def enqueue(self, job: Job, subject: UUID) -> None:
        if subject not in self._heard:
            self._heard.add(subject)
            await super().enqueue(job, subject)


class SaysNothingAnswers(InProcessQueue):
    async def answers(self) -> bool:
        return False


class WaitsForAConsumer(InProcessQueue):
    async def enqueue(self, job: Job, subject: UUID) -> None:
        await super().enqueue(job, subject)
        if len(self._waiting[job]) > 100:
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (Deaf, "test_a_ring_is_heard"),
        (Backwards, "test_rings_are_heard_in_order"),
        (HearsOnce, "test_ringing_again_is_heard_at_least_once"),
        (SaysNothingAnswers, "test_what_can_be_rung_says_so"),
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
