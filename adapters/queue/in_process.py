"""The doorbell inside one process; what it forgets when the process ends, the task rows remember."""

import asyncio
from uuid import UUID

from application.ports.queue import Job, TaskQueue

CAPACITY = 10_000
"""Rings kept at most, about a megabyte; one beyond is dropped, and the sweep rings again for its task."""


class InProcessQueue(TaskQueue):
    """Rings wait in order, each once. For one event loop; any number of consumers."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._waiting: dict[tuple[Job, UUID], None] = {}
        self._rung = asyncio.Event()

    async def enqueue(self, job: Job, subject: UUID) -> None:
        """Ring; a ring that already waits is the same one."""
        if len(self._waiting) < self._capacity:
            self._waiting[job, subject] = None
            self._rung.set()

    async def next(self) -> tuple[Job, UUID]:
        """Wait for a ring and take it; one that is cancelled while waiting has taken none."""
        while not self._waiting:
            self._rung.clear()
            await self._rung.wait()
        ring = next(iter(self._waiting))
        del self._waiting[ring]
        return ring
