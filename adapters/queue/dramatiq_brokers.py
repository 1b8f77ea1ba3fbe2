"""Dramatiq's brokers with the limits that doorbells need, and consumers that hear only while there is somebody to wake.

A message is worth a second of waiting and no more: nothing here keeps one safe.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

import pika.exceptions
import redis
import structlog
from dramatiq import Consumer, MessageProxy
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerError
from dramatiq.message import Message
from dramatiq.middleware import AgeLimit, Middleware, Retries, TimeLimit
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE_LENGTH = 2_500
"""Rings that a queue holds at most: workers of a class may be away for days, and rings come every few seconds."""
_RING_MS = 60_000
"""How long a ring is kept where the broker can forget by itself; the sweep has rung again by then."""
_ANSWER_SECONDS = 2.0
"""A broker on the same network answers in a millisecond; one that takes longer than this is away."""
_RECONNECT_SECONDS = 1.0
_LOOK_SECONDS = 0.015
"""How often a consumer that has let go looks whether somebody is idle again."""
_PREFIX = "colloquy"
_AWAY = (BrokerError, redis.RedisError, pika.exceptions.AMQPError, OSError, StopIteration, AssertionError)
"""What consumers raise when the broker is away; pika states some of it as assertions."""
_log = structlog.get_logger()


class GatedConsumer(Consumer):
    """Consumes while `accepts()`; else it lets go of the queue, so that what rings there is heard by somebody else."""

    def __init__(
        self,
        begin: Callable[[], Consumer],
        accepts: Callable[[], bool],
        wait: Callable[[], object] = lambda: None,
        leave: Callable[[], object] = lambda: None,
    ) -> None:
        self._begin = begin
        self._accepts = accepts
        self._wait = wait
        self._leave = leave
        self._inner: Consumer | None = None
        self._unsettled: set[str] = set()
        self._accepted = self._away = False

    def __next__(self) -> MessageProxy | None:
        """Return a ring, or None after a moment without one."""
        accepts, accepted = self._accepts(), self._accepted
        self._accepted = accepts
        try:
            if self._inner is None and not (accepts and accepted):  # a slot between two tasks is not idle yet
                time.sleep(_LOOK_SECONDS)
                return None
            if self._inner is not None and not accepts and not self._held():
                self._let_go()
                return None
            self._inner = self._inner or self._begin()
            message: MessageProxy | None = next(self._inner)
            if message is None and not self._held():
                self._wait()
        except _AWAY as error:
            self._lose(error)
            return None
        if self._away:
            _log.info("bells_are_heard_again")
            self._away = False
        if message is not None:
            self._unsettled.add(message.message_id)
        return message

    def ack(self, message: MessageProxy) -> None:
        """Settle a ring; one that cannot be settled may ring again."""
        self._settle(message, Consumer.ack.__name__)

    def nack(self, message: MessageProxy) -> None:
        """Refuse a ring."""
        self._settle(message, Consumer.nack.__name__)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Hand back what was not looked at."""
        try:
            if self._inner is not None:
                self._inner.requeue(messages)
        except _AWAY:
            _log.debug("bells_not_handed_back")

    def close(self) -> None:
        """Let go of the queue."""
        try:
            self._let_go()
        except _AWAY:
            _log.debug("consumer_not_closed")

    def _held(self) -> bool:
        """Whether there are rings that were fetched and are not settled; Redis would keep them for us for ever."""
        return bool(self._unsettled or getattr(self._inner, "message_cache", None))

    def _settle(self, message: MessageProxy, how: str) -> None:
        try:
            if self._inner is not None and message.message_id in self._unsettled:
                getattr(self._inner, how)(message)
        except _AWAY:
            _log.debug("bell_not_settled", how=how)
        finally:
            self._unsettled.discard(message.message_id)

    def _let_go(self) -> None:
        inner, self._inner = self._inner, None
        self._unsettled.clear()
        if inner is not None:
            inner.close()
            self._leave()

    def _lose(self, error: BaseException) -> None:
        if not self._away:
            _log.warning("bells_are_not_heard", error_type=type(error).__name__)
        self._away = True
        self.close()
        time.sleep(_RECONNECT_SECONDS)


class RedisDoorbell(RedisBroker):
    """Rings over Redis; `accepts` says whether this process has use for one.

    Dramatiq asks Redis again and again, less and less often, so that idle workers wake late. Here every ring leaves a
    token in a list of its own beside the queue, and whoever is idle waits for one of those, which Redis does at once.
    Rings are laid down in one exchange and settled several at a time, in Dramatiq's keys: the list of a queue's rings,
    the hash of what they say, and for each broker and queue the set of those that it took and did not settle.
    """

    def __init__(self, url: str, accepts: Callable[[], bool]) -> None:
        self.accepts = accepts
        self._lengths: dict[str, int] = {}
        self._settled: defaultdict[str, deque[str]] = defaultdict(deque)
        client = redis.Redis.from_url(
            url, protocol=2, retry=Retry(NoBackoff(), 1), socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS, health_check_interval=10,
        )  # fmt: skip
        # A dead process's unsettled rings come back after a minute, or never: by then its tasks run elsewhere. Refused
        # ones are not kept: what a bell's failure meant stands in no bell.
        super().__init__(  # type: ignore[no-untyped-call]
            client=client, namespace=_PREFIX, middleware=_middleware(), heartbeat_timeout=60_000,
            maintenance_chance=1_000, dead_message_ttl=_RING_MS,
        )  # fmt: skip

    def tend(self) -> None:
        """Nothing needs it: connections are looked at before they are used."""

    def ask(self) -> None:
        """Raise where the server does not answer."""
        self.client.ping()

    def close(self) -> None:
        """Let go of the server."""
        self.client.close()

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Ring, unless the queue is full of rings that nobody hears."""
        queue = f"{_PREFIX}:{message.queue_name}"
        if self._lengths.get(queue, 0) >= QUEUE_LENGTH:
            self._lengths[queue] = int(self.client.llen(queue))
            return message
        return super().enqueue(message, delay=delay)

    def do_enqueue(self, queue_name: str, ring: str, said: bytes) -> None:
        """Lay a ring down, and a token beside it."""
        queue, tokens = f"{_PREFIX}:{queue_name}", _tokens(queue_name)
        with self.client.pipeline(transaction=False) as pipeline:
            pipeline.hset(f"{queue}.msgs", ring, said)
            pipeline.rpush(queue, ring)
            pipeline.llen(queue)
            pipeline.rpush(tokens, b"")
            pipeline.ltrim(tokens, -QUEUE_LENGTH, -1)
            pipeline.pexpire(tokens, _RING_MS)
            self._lengths[queue] = pipeline.execute()[2]

    def do_fetch(self, queue_name: str, count: int) -> list[bytes]:
        """Settle what was heard, and take up to so many more."""
        self._settle(queue_name)
        rings: list[bytes] = super().__getattr__("do_fetch")(queue_name, count)  # type: ignore[no-untyped-call]
        return rings

    def do_ack(self, queue_name: str, ring: str) -> None:
        """Settle a ring with the next look for more: if it rings again meanwhile, nobody minds."""
        self._settled[queue_name].append(ring)

    def _settle(self, queue_name: str) -> None:
        heard = self._settled[queue_name]
        settled = [heard.popleft() for _ in range(len(heard))]  # more may be coming from another thread
        if settled:
            with self.client.pipeline(transaction=False) as pipeline:
                pipeline.srem(f"{_PREFIX}:__acks__.{self.broker_id}.{queue_name}", *settled)
                pipeline.hdel(f"{_PREFIX}:{queue_name}.msgs", *settled)
                pipeline.execute()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Hear what rings, gated."""
        begin, tokens = super().consume, [_tokens(queue_name)]
        return GatedConsumer(
            begin=lambda: begin(queue_name, prefetch, 1),
            accepts=self.accepts,
            wait=lambda: self.client.blpop(tokens, timeout / 1000),
            leave=lambda: self._settle(queue_name),
        )


class RabbitmqDoorbell(RabbitmqBroker):
    """Rings over RabbitMQ; `accepts` says whether this process has use for one."""

    def __init__(self, url: str, accepts: Callable[[], bool]) -> None:
        self.accepts = accepts
        parameters = pika.URLParameters(url)
        parameters.connection_attempts = 1
        parameters.socket_timeout = parameters.stack_timeout = _ANSWER_SECONDS
        parameters.blocked_connection_timeout = _ANSWER_SECONDS
        parameters.heartbeat = 10
        # Confirmed, or a ring to a server that forgot its queues would vanish for ever instead of declaring them again.
        super().__init__(confirm_delivery=True, middleware=_middleware())
        self.parameters = parameters

    def tend(self) -> None:
        """Answer the server's heartbeats on the calling thread's connection, if it has one."""
        if getattr(self.state, "connection", None) is not None:
            self.connection.process_data_events(time_limit=0)

    def ask(self) -> None:
        """Raise where the server lets nobody in; over a connection of its own, for each thread has one."""
        pika.BlockingConnection(self.parameters).close()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Hear what rings, gated."""
        return GatedConsumer(lambda: self._begin(queue_name, prefetch, timeout), self.accepts)

    def _begin(self, queue_name: str, prefetch: int, timeout: int) -> Consumer:
        try:
            return super().consume(queue_name, prefetch, timeout)
        finally:
            del self.connection  # that the queue was declared over; nobody would answer its heartbeats

    def _build_queue_arguments(self, queue_name: str) -> dict[str, object]:  # noqa: ARG002
        """Have the server forget rings by itself, and bury none."""
        return {"x-message-ttl": _RING_MS, "x-max-length": QUEUE_LENGTH, "x-overflow": "drop-head"}


def _tokens(queue_name: str) -> str:
    return f"{_PREFIX}:{queue_name}.rung"


def _middleware() -> list[Middleware]:
    """What enforces the actors' limits, and nothing that stores results, delays, or speaks to anybody."""
    return [AgeLimit(), TimeLimit(), Retries(max_retries=0)]


def make_broker(url: str, accepts: Callable[[], bool] = lambda: True) -> RedisDoorbell | RabbitmqDoorbell:
    """Return the broker; nothing is connected yet."""
    return RedisDoorbell(url, accepts) if url.startswith("redis") else RabbitmqDoorbell(url, accepts)
