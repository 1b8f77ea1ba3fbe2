"""The doorbell over a Dramatiq broker, Redis or RabbitMQ: which queue a job rings on, and ringing without waiting.

A thread of its own does the ringing. Rings that it cannot get rid of are dropped: workers ask the database by
themselves, and the sweep rings again.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from application.ports.queue import Job, TaskQueue

if TYPE_CHECKING:
    from dramatiq import Broker

CAPACITY = 1_000
"""Rings that wait for the broker at most; one beyond is dropped."""
_STALE_SECONDS = 5.0
"""A ring that has waited longer than this has been overtaken by the workers' own questions."""
_PAUSE_SECONDS = 1.0
_TEND_SECONDS = 5.0
_ROUTES = {Job.PROCESS_TASK: "inference"}
"""Families of queues that have one for each class of devices."""
_SHARED = {Job.DELIVER_WEBHOOK: "delivery"}
"""Queues of which there is one, whatever the devices."""
_log = structlog.get_logger()


def queue_name(job: Job, device_class: str) -> str:
    """Name the queue on which workers of a device class hear of a job."""
    return _SHARED.get(job) or f"{_ROUTES[job]}.{device_class}"


class DramatiqQueue(TaskQueue):
    """Rings on every device class's queue, over a broker of its own.

    `tend` is called now and then by the ringing thread while it is idle; `ask` raises where the broker does not answer.
    """

    def __init__(
        self,
        broker: "Broker",
        device_classes: Sequence[str],
        *,
        tend: Callable[[], object] = lambda: None,
        ask: Callable[[], object] = lambda: None,
        capacity: int = CAPACITY,
    ) -> None:
        self._broker = broker
        self._classes = device_classes
        self._tend = tend
        self._ask = ask
        self._capacity = capacity
        self._waiting: dict[tuple[Job, UUID], float] = {}
        self._changed = threading.Condition()
        self._closing = self._failing = False
        self._thread: threading.Thread | None = None

    async def enqueue(self, job: Job, subject: UUID) -> None:
        """Leave the ring for the thread; one that waits already is the same one."""
        with self._changed:  # held for microseconds, never while the broker is spoken to
            if len(self._waiting) < self._capacity:
                self._waiting.setdefault((job, subject), time.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self._ring_on, name="doorbell", daemon=True)
                self._thread.start()
            self._changed.notify()

    async def answers(self) -> bool:
        """Ask the broker, apart from what rings."""
        try:
            await asyncio.to_thread(self._ask)
        except Exception:  # noqa: BLE001 - as below
            return False
        return True

    async def close(self) -> None:
        """Ring what waits, if the broker takes it soon, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is None:
            self._broker.close()
        else:
            await asyncio.to_thread(self._thread.join, _PAUSE_SECONDS)

    def _ring_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing, _TEND_SECONDS)
                if self._closing and (self._failing or not self._waiting):
                    break
                ring = next(iter(self._waiting), None)
                age = 0.0 if ring is None else time.monotonic() - self._waiting.pop(ring)
            if age > _STALE_SECONDS:
                continue
            try:
                self._tend() if ring is None else self._ring(*ring)
            except Exception as error:  # noqa: BLE001 - clients of brokers raise all sorts, and none of it may matter
                self._failed(error)
            else:
                self._succeeded()
        with suppress(Exception):
            self._broker.close()

    def _ring(self, job: Job, subject: UUID) -> None:
        from dramatiq import Message

        for name in dict.fromkeys(queue_name(job, device_class) for device_class in self._classes):
            self._broker.enqueue(
                Message(
                    queue_name=name,
                    actor_name=str(job),
                    args=(str(subject),),
                    kwargs={},
                    options={},
                )
            )

    def _failed(self, error: Exception) -> None:
        if not self._failing:
            _log.warning("broker_unavailable", error_type=type(error).__name__)
        self._failing = True
        with self._changed:
            self._changed.wait_for(lambda: self._closing, _PAUSE_SECONDS)

    def _succeeded(self) -> None:
        if self._failing:
            _log.info("broker_available")
        self._failing = False
