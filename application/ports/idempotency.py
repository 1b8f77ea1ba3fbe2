"""The port to the keys under which requests were answered, part of a unit of work."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.idempotency import Answered, RequestKey


class IdempotencyRepository(Protocol):
    """Stores which request was answered with which task; an answer goes with its task."""

    @abstractmethod
    async def add(self, key: RequestKey, answered: Answered, *, now: datetime) -> bool:
        """Store an answer; False, and nothing is stored, when there is one under that key.

        Of units that run at once exactly one stores its answer: the others wait for its end, and find it.
        """

    @abstractmethod
    async def get(self, key: RequestKey) -> Answered | None:
        """Return the answer under that key, or None."""

    @abstractmethod
    async def forget(self, *, before: datetime) -> int:
        """Remove what was stored before that instant; return how many that were."""
