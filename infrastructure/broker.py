"""What wakes workers, as `QUEUE_URL` says: a queue inside the process, or a broker between many."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from adapters.queue.dramatiq import DramatiqQueue, queue_name
from adapters.queue.in_process import InProcessQueue
from application.ports.queue import Job, TaskQueue
from infrastructure.settings import Settings

if TYPE_CHECKING:
    from adapters.queue.dramatiq_brokers import RabbitmqDoorbell, RedisDoorbell


def make_broker(
    settings: Settings, *, accepts: Callable[[], bool] = lambda: True
) -> "RedisDoorbell | RabbitmqDoorbell":
    """Return the broker of QUEUE_URL, nothing connected yet; whoever listens to it hears while `accepts()`."""
    # Imported here, because a process without a broker needs none of it.
    from adapters.queue import dramatiq_brokers  # noqa: PLC0415

    # What their clients have to say of a broker that is away is said once, by the queue and its consumers.
    logging.getLogger("dramatiq").setLevel(logging.ERROR)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    return dramatiq_brokers.make_broker(settings.broker_url, accepts)


def make_queue(settings: Settings, bell: InProcessQueue) -> TaskQueue:
    """Return the queue that is rung; `bell` is what this process's own slots listen to."""
    if not settings.broker_url:
        return bell
    broker = make_broker(settings)
    return DramatiqQueue(broker, settings.worker.device_classes.split(","), tend=broker.tend, ask=broker.ask)


def own_queues(settings: Settings) -> dict[Job, str]:
    """The queue that this worker listens to, for each job."""
    return {job: queue_name(job, settings.worker.device_class) for job in Job}
