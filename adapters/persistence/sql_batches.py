"""Batches in their table, and what their tasks' rows say of how they go."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import json
from sqlalchemy import CursorResult, Row, Uuid, bindparam, func, select, text

from adapters.persistence.tables import UtcDateTime, tasks
from adapters.persistence.tables_native import batches
from application.ports.batches import BatchRepository, Tally
from domain.batch import Batch, RefusedItem
from domain.task import BatchId, OwnerId, TaskStatus

_ADD = text(
    "INSERT INTO batches (id, owner, created_at, size, title, refused, key, fingerprint)"
    " VALUES (:id, :owner, :created_at, :size, :title, :refused, :key, :fingerprint)"
    " ON CONFLICT (owner, key) DO NOTHING"
).bindparams(
    bindparam("id", type_=Uuid), bindparam("owner", type_=Uuid), bindparam("created_at", type_=UtcDateTime)
)  # fmt: skip


class SqlBatches(BatchRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Callable[..., Awaitable[CursorResult[Any]]]) -> None:
        self._run = run

    async def add(self, batch: Batch) -> bool:
        """Store a batch, unless its key is taken."""
        values = {name: getattr(batch, name) for name in ("id", "owner", "created_at", "size", "title", "key")}
        values |= {"refused": json.encode(batch.refused).decode(), "fingerprint": batch.fingerprint}
        return (await self._run(_ADD, values)).rowcount > 0

    async def get(self, batch_id: BatchId) -> Batch | None:
        """Return the batch, or None."""
        row = (await self._run(select(batches).where(batches.c.id == batch_id))).one_or_none()
        return None if row is None else _from_row(row)

    async def by_key(self, owner: OwnerId, key: str) -> Batch | None:
        """Return the batch under that key, or None."""
        named = select(batches).where(batches.c.owner == owner, batches.c.key == key)
        row = (await self._run(named)).one_or_none()
        return None if row is None else _from_row(row)

    async def page(self, owner: OwnerId, *, before: BatchId | None, limit: int) -> Sequence[Batch]:
        """Return the owner's batches, newest first."""
        page = select(batches).where(batches.c.owner == owner).order_by(batches.c.id.desc()).limit(limit)
        if before is not None:
            page = page.where(batches.c.id < before)
        return [_from_row(row) for row in await self._run(page)]

    async def tallies(self, batch_ids: Sequence[BatchId]) -> Mapping[BatchId, Tally]:
        """Sum up the tasks by batch and status."""
        columns = tasks.c
        sums = func.count().label("tasks"), func.sum(columns.progress).label("progress")
        summed = (
            select(columns.batch, columns.status, *sums, func.sum(columns.version + 1).label("changes"))
            .where(columns.batch.in_(batch_ids))
            .group_by(columns.batch, columns.status)
        )
        rows: dict[BatchId, list[Row[Any]]] = {}
        for row in await self._run(summed):
            rows.setdefault(BatchId(row.batch), []).append(row)
        return {batch: _tally(of_batch) for batch, of_batch in rows.items()}

    async def note(self, batch_id: BatchId, *, refused: Sequence[RefusedItem]) -> None:
        """Note what was refused."""
        noted = batches.update().where(batches.c.id == batch_id)
        await self._run(noted.values(refused=json.encode(refused).decode()))

    async def remove(self, batch_id: BatchId, *, if_empty: bool = False) -> None:
        """Remove the row."""
        removal = batches.delete().where(batches.c.id == batch_id)
        if if_empty:
            removal = removal.where(~select(tasks.c.id).where(tasks.c.batch == batch_id).exists())
        await self._run(removal)

    async def forget_keys(self, *, before: datetime) -> None:
        """Take the keys from the older ones."""
        old = (batches.c.created_at < before) & batches.c.key.is_not(None)
        await self._run(batches.update().where(old).values(key=None))


def _tally(rows: Sequence[Row[Any]]) -> Tally:
    return Tally(
        counts={TaskStatus(row.status): row.tasks for row in rows},
        progress=sum(row.progress for row in rows),
        changes=int(sum(row.changes for row in rows)),
    )


def _from_row(row: Row[Any]) -> Batch:
    values = row._asdict()
    return Batch(**values | {"refused": json.decode(row.refused, type=tuple[RefusedItem, ...])})
