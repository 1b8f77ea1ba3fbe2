"""Progress events between processes by Redis pub/sub: one channel for all tasks, one subscription for all followers.

Nothing waits for Redis and nothing fails with it: while it is away, each task's latest event waits in a bounded outbox.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import structlog

from adapters.events.in_process import InProcessEvents
from application.ports.notify import EventPublisher, TaskEvent
from domain.task import TaskId

if TYPE_CHECKING:
    from redis.asyncio import Redis

_OUTBOX = 1_000
"""Tasks whose latest event waits for Redis at most; beyond that the one that waits longest is dropped."""
_ANSWER_SECONDS = 2.0
"""A Redis that does not answer within this is away."""
_SILENCE_SECONDS = 5.0
"""After this long without a message the subscription is tried with a ping."""
_PAUSES = (0.1, 0.2, 0.5, 1.0)
"""Seconds before each next try; the last one again and again."""
_log = structlog.get_logger()


class RedisEvents(EventPublisher):
    """Events through the Redis at `url`; connections are made by the first `publish` and the first `follow`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._heard = InProcessEvents()
        self._outbox: dict[TaskId, TaskEvent] = {}
        self._filled = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._hearer: asyncio.Task[None] | None = None

    async def publish(self, event: TaskEvent) -> None:
        """Leave the event for the sender, in place of the task's earlier one, unless that was the end."""
        waiting = self._outbox.get(event.task_id)
        if waiting is None or event.status.final or not waiting.status.final:
            self._outbox[event.task_id] = event
        if len(self._outbox) > _OUTBOX:
            del self._outbox[next(iter(self._outbox))]
        self._filled.set()
        if self._sender is None:
            self._sender = asyncio.create_task(self._keep(self._send))

    def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        """Give what this process publishes after the call, and what others do once Redis knows of the subscription."""
        if self._hearer is None:
            self._hearer = asyncio.create_task(self._keep(self._hear))
        return self._heard.follow(task_id)

    async def close(self) -> None:
        """Send what waits, if Redis takes it soon, and let go of the connections."""
        running = [task for task in (self._sender, self._hearer) if task is not None]
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while self._outbox and running:  # noqa: ASYNC110 - the sender empties it
                    await asyncio.sleep(0.01)
        self._sender = self._hearer = None
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _keep(self, work: "Callable[[Redis, Callable[[], None]], Awaitable[None]]") -> None:
        """Do the work, which never ends, over a connection, and over a new one whenever that fails."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        failed = 0

        def well() -> None:
            nonlocal failed
            failed = 0

        while True:
            client = Redis.from_url(
                self._url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=_ANSWER_SECONDS,
                socket_connect_timeout=_ANSWER_SECONDS,
            )  # fmt: skip
            try:
                await work(client, well)
            except Exception as error:  # noqa: BLE001 - whatever it is, events must come back when Redis does
                if not failed:
                    _log.warning("events_unavailable", error_type=type(error).__name__)
            finally:
                with suppress(Exception):
                    await client.aclose()
            await asyncio.sleep(_PAUSES[min(failed, len(_PAUSES) - 1)])
            failed += 1

    async def _send(self, client: "Redis", well: Callable[[], None]) -> None:
        while True:
            await self._filled.wait()
            if self._hearer is not None:  # whoever follows here, and already has, hears what comes now
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._subscribed.wait(), _ANSWER_SECONDS)
            self._filled.clear()
            batch = list(self._outbox.values())
            try:
                async with client.pipeline(transaction=False) as pipeline:
                    for event in batch:
                        pipeline.publish(_channel(client), msgspec.json.encode(event))
                    await pipeline.execute()
            except BaseException:
                self._filled.set()
                raise
            for event in batch:
                if self._outbox.get(event.task_id) is event:
                    del self._outbox[event.task_id]
            well()

    async def _hear(self, client: "Redis", well: Callable[[], None]) -> None:
        asked = False
        try:
            async with client.pubsub() as subscription:
                await subscription.subscribe(_channel(client))
                while True:
                    message = await subscription.get_message(timeout=_SILENCE_SECONDS)
                    if message is None:
                        if asked:
                            raise TimeoutError
                        await subscription.ping()
                        asked = True
                        continue
                    asked = False
                    if message["type"] == "subscribe":
                        self._subscribed.set()
                        well()
                    elif message["type"] == "message":
                        with suppress(msgspec.MsgspecError):  # of another release, or not ours
                            await self._heard.publish(msgspec.json.decode(message["data"], type=TaskEvent))
        finally:
            self._subscribed.clear()


def _channel(client: "Redis") -> str:
    """Name the channel; Redis does not keep channels apart by database, so its number is part of the name."""
    return f"colloquy:events:{client.connection_pool.connection_kwargs.get('db') or 0}"
