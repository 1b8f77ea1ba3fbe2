"""Hearing the broker's rings beside the event loop; without a broker nothing fails, it is only heard of tasks later."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from uuid import UUID

import dramatiq

from application.ports.queue import Job
from entrypoints.worker.actors import declare_actors

IDLE_MS = 100
"""How often an idle consumer looks about itself; a ring ends that wait at once, over Redis as over RabbitMQ."""
STOP_MS = 2_000


class Listening:
    """A worker of the broker's with one thread, which hands each ring to the event loop's `hear`."""

    def __init__(
        self,
        broker: dramatiq.Broker,
        queues: Mapping[Job, str],
        hear: Callable[[Job, UUID], Coroutine[Any, Any, None]],
        *,
        prefetch: int,
    ) -> None:
        loop = asyncio.get_running_loop()

        def wake(job: Job, subject: UUID) -> None:
            asyncio.run_coroutine_threadsafe(hear(job, subject), loop)

        declare_actors(broker, queues, wake)
        self._broker = broker
        self._worker = dramatiq.Worker(broker, worker_timeout=IDLE_MS, worker_threads=1)
        self._worker.queue_prefetch = prefetch

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def stop(self) -> None:
        """Hear nothing any more; blocking."""
        self._worker.stop(timeout=STOP_MS)
        self._broker.close()
