"""The port to batches, part of a unit of work; their tasks are in the repository of tasks, and name them."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from domain.batch import Batch, RefusedItem
from domain.task import BatchId, OwnerId, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How a batch's tasks go: how many stand where, and the sum of their progress, each 0 to 1.

    `changes` grows with every change of one of them that is stored.
    """

    counts: Mapping[TaskStatus, int] = field(default_factory=dict)
    progress: float = 0.0
    changes: int = 0


class BatchRepository(Protocol):
    """Stores batches."""

    @abstractmethod
    async def add(self, batch: Batch) -> bool:
        """Store a new one; False, and nothing is stored, when its owner has one under that key.

        Of units that run at once exactly one stores its batch: the others wait for its end, and find it.
        """

    @abstractmethod
    async def get(self, batch_id: BatchId) -> Batch | None:
        """Return the batch, or None."""

    @abstractmethod
    async def by_key(self, owner: OwnerId, key: str) -> Batch | None:
        """Return the owner's batch under that key, or None."""

    @abstractmethod
    async def page(self, owner: OwnerId, *, before: BatchId | None, limit: int) -> Sequence[Batch]:
        """Return the owner's batches, newest first, those older than `before`."""

    @abstractmethod
    async def tallies(self, batch_ids: Sequence[BatchId]) -> Mapping[BatchId, Tally]:
        """Return how each of these goes, up to a few hundred; one without tasks is left out."""

    @abstractmethod
    async def note(self, batch_id: BatchId, *, refused: Sequence[RefusedItem]) -> None:
        """Note what was refused of it; one that does not exist is no error."""

    @abstractmethod
    async def remove(self, batch_id: BatchId, *, if_empty: bool = False) -> None:
        """Remove the batch; `if_empty` leaves one that still has tasks, which are not removed in any case."""

    @abstractmethod
    async def forget_keys(self, *, before: datetime) -> None:
        """Take the keys from those that were made before that instant."""
