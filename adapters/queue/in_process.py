"""The doorbell inside one process; what it forgets when the process ends, the task rows remember."""

import asyncio
from uuid import UUID

from application.ports.queue import Job, TaskQueue

CAPACITY = 10_000
"""Rings kept at most, about a megabyte; one beyond is dropped, and the sweep rings again for its task."""


class InProcessQueue(TaskQueue):
    """Rings wait in order, each once, for each job apart. For one event loop; any number of consumers."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._waiting: dict[Job, dict[UUID, None]] = {job: {} for job in Job}
        self._rung = {job: asyncio.Event() for job in Job}

    async def enqueue(self, job: Job, subject: UUID) -> None:
        """Ring; a ring that already waits is the same one."""
        if len(self._waiting[job]) < self._capacity:
            self._waiting[job][subject] = None
            self._rung[job].set()

    async def answers(self) -> bool:
        """Say yes: nothing is between it and those who hear."""
        return True

    async def close(self) -> None:
        """Nothing is held."""

    async def next(self, job: Job = Job.PROCESS_TASK) -> tuple[Job, UUID]:
        """Wait for a ring of that job and take it; one that is cancelled while waiting has taken none."""
        waiting, rung = self._waiting[job], self._rung[job]
        while not waiting:
            rung.clear()
            await rung.wait()
        subject = next(iter(waiting))
        del waiting[subject]
        return job, subject
