"""The keys of requests in memory; what a process keeps here dies with it."""

from collections.abc import Container
from datetime import datetime
from uuid import UUID

from application.ports.idempotency import IdempotencyRepository
from domain.idempotency import Answered, RequestKey

Requests = dict[RequestKey, tuple[Answered, datetime]]


class MemoryIdempotency(IdempotencyRepository):
    """Keys in a mapping; those of a task that is not among `tasks` any more count as gone."""

    def __init__(self, requests: Requests, tasks: Container[UUID]) -> None:
        self._requests = requests
        self._tasks = tasks

    async def add(self, key: RequestKey, answered: Answered, *, now: datetime) -> bool:
        """Store an answer, unless there is one."""
        if await self.get(key) is not None:
            return False
        self._requests[key] = answered, now
        return True

    async def get(self, key: RequestKey) -> Answered | None:
        """Return the answer, or None."""
        answered, _ = self._requests.get(key, (None, None))
        return answered if answered is not None and answered.task_id in self._tasks else None

    async def forget(self, *, before: datetime) -> int:
        """Remove what is older."""
        old = [key for key, (_, at) in self._requests.items() if at < before]
        for key in old:
            del self._requests[key]
        return len(old)
