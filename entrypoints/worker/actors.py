"""What rings become in a worker: a wake-up of its slots. No work is done here, so that a ring is settled at once."""

from collections.abc import Callable, Mapping
from uuid import UUID

import dramatiq

from application.ports.queue import Job

Wake = Callable[[Job, UUID], None]
TIME_LIMIT_MS = 10_000
"""A wake-up takes microseconds; whatever holds it for this long is broken."""
MAX_AGE_MS = 60_000
"""An older ring has been overtaken: the slots ask every second, and the sweep has rung again."""


def declare_actors(broker: dramatiq.Broker, queues: Mapping[Job, str], wake: Wake) -> None:
    """Listen for every job on its queue; `wake` is called in a thread of the broker's worker."""
    for job, queue in queues.items():
        dramatiq.actor(
            actor_name=str(job),
            queue_name=queue,
            broker=broker,
            max_retries=0,
            time_limit=TIME_LIMIT_MS,
            max_age=MAX_AGE_MS,
            throws=(ValueError, TypeError),  # not of ours; it is refused, and that is all
        )(_answer(job, wake))
    broker.delay_queues.clear()  # nothing is ever delayed here: what waits, waits in its row


def _answer(job: Job, wake: Wake) -> Callable[[str], None]:
    def answer(subject: str) -> None:
        wake(job, UUID(subject))

    return answer
