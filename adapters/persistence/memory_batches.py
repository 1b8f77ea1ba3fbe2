"""Batches as JSON in memory, beside the tasks that name them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from msgspec import json

from application.ports.batches import BatchRepository, Tally
from domain.batch import Batch, RefusedItem
from domain.task import BatchId, OwnerId, Task


class MemoryBatches(BatchRepository):
    """Encoded batches by id."""

    def __init__(self, rows: dict[UUID, bytes], tasks: Callable[[], list[Task]]) -> None:
        self._rows = rows
        self._tasks = tasks

    async def add(self, batch: Batch) -> bool:
        """Store a batch, unless its key is taken."""
        if batch.key is not None and await self.by_key(batch.owner, batch.key):
            return False
        self._rows[batch.id] = json.encode(batch)
        return True

    async def get(self, batch_id: BatchId) -> Batch | None:
        """Return the batch, or None."""
        row = self._rows.get(batch_id)
        return None if row is None else json.decode(row, type=Batch)

    async def by_key(self, owner: OwnerId, key: str) -> Batch | None:
        """Return the batch under that key, or None."""
        return next((batch for batch in self._all() if (batch.owner, batch.key) == (owner, key)), None)

    async def page(self, owner: OwnerId, *, before: BatchId | None, limit: int) -> Sequence[Batch]:
        """Return the owner's batches, newest first."""
        own = [batch for batch in self._all() if batch.owner == owner and (before is None or batch.id < before)]
        return sorted(own, key=lambda batch: batch.id, reverse=True)[:limit]

    async def tallies(self, batch_ids: Sequence[BatchId]) -> Mapping[BatchId, Tally]:
        """Sum up the tasks by batch and status."""
        by_batch: dict[BatchId, list[Task]] = {}
        for task in self._tasks():
            if task.batch is not None and task.batch in batch_ids:
                by_batch.setdefault(task.batch, []).append(task)
        return {
            batch: Tally(
                counts=Counter(task.status for task in tasks),
                progress=sum(task.progress for task in tasks),
                changes=sum(task.version + 1 for task in tasks),
            )
            for batch, tasks in by_batch.items()
        }

    async def note(self, batch_id: BatchId, *, refused: Sequence[RefusedItem]) -> None:
        """Note what was refused."""
        if batch := await self.get(batch_id):
            self._rows[batch_id] = json.encode(replace(batch, refused=tuple(refused)))

    async def remove(self, batch_id: BatchId, *, if_empty: bool = False) -> None:
        """Remove the batch."""
        if not (if_empty and any(task.batch == batch_id for task in self._tasks())):
            self._rows.pop(batch_id, None)

    async def forget_keys(self, *, before: datetime) -> None:
        """Take the keys from the older ones."""
        for batch in self._all():
            if batch.created_at < before:
                self._rows[batch.id] = json.encode(replace(batch, key=None))

    def _all(self) -> list[Batch]:
        return [json.decode(row, type=Batch) for row in self._rows.values()]
