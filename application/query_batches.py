"""Reading batches, cancelling them, and deleting them with all their tasks."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from application.audit import note_refusal, record
from application.cancel_task import CancelTask
from application.delete_task import DeleteTask
from application.ports.batches import Tally
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.ports.task_filter import TaskFilter
from domain.audit import Action, Thing
from domain.batch import MAX_ITEMS, Batch
from domain.errors import TaskNotFound, WrongState
from domain.task import BatchId, OwnerId, Task


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch and how it goes; `tasks`, where they were asked for, in the order in which they were handed in."""

    batch: Batch
    tally: Tally
    tasks: Sequence[Task] = ()


class QueryBatches:
    """Shows an owner its own batches; somebody else's are not told apart from none."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def one(self, owner: OwnerId, batch_id: BatchId) -> BatchView:
        """Return the batch with its tasks.

        Raises:
            TaskNotFound: there is no such batch.
        """
        async with self._new_uow() as uow:
            batch = await _owned(uow, owner, batch_id)
            tally = (await uow.batches.tallies([batch_id])).get(batch_id, Tally())
            tasks = await uow.tasks.page(owner, before=None, limit=MAX_ITEMS, only=TaskFilter(batch=batch_id))
        return BatchView(batch, tally, tasks[::-1])

    async def page(self, owner: OwnerId, *, before: BatchId | None, limit: int) -> Sequence[BatchView]:
        """Return up to `limit` batches without their tasks, newest first, from after `before`."""
        async with self._new_uow() as uow:
            batches = await uow.batches.page(owner, before=before, limit=limit)
            tallies = await uow.batches.tallies([batch.id for batch in batches])
        return [BatchView(batch, tallies.get(batch.id, Tally())) for batch in batches]


class EndBatch:
    """Cancels or deletes all that a batch has made."""

    def __init__(self, *, new_uow: NewUnitOfWork, cancel: CancelTask, delete: DeleteTask) -> None:
        self._new_uow = new_uow
        self._query = QueryBatches(new_uow=new_uow)
        self._cancel = cancel
        self._delete = delete

    async def cancel(self, owner: OwnerId, batch_id: BatchId) -> BatchView:
        """Cancel what has not ended yet; repeating it does no harm.

        Raises:
            TaskNotFound: there is no such batch.
        """
        for task in (await self._query.one(owner, batch_id)).tasks:
            if not task.status.final:
                with suppress(TaskNotFound, WrongState):  # it has ended meanwhile, or is gone
                    await self._cancel(owner, task.id)
        return await self._query.one(owner, batch_id)

    async def delete(self, owner: OwnerId, batch_id: BatchId) -> None:
        """Delete every task with its recording and its transcripts, then the batch.

        Raises:
            TaskNotFound: there is no such batch.
        """
        async with self._new_uow() as uow:
            await _owned(uow, owner, batch_id)
        while tasks := await self._left(owner, batch_id):
            for task in tasks:
                with suppress(TaskNotFound):  # somebody else has deleted it
                    await self._delete(owner, task.id)
        async with self._new_uow() as uow:
            await uow.batches.remove(batch_id)
            await record(uow, Action.DELETED, Thing.BATCH, batch_id, owner=owner)
            await uow.commit()

    async def _left(self, owner: OwnerId, batch_id: BatchId) -> Sequence[Task]:
        async with self._new_uow() as uow:
            return await uow.tasks.page(owner, before=None, limit=MAX_ITEMS, only=TaskFilter(batch=batch_id))


async def _owned(uow: UnitOfWork, owner: OwnerId, batch_id: BatchId) -> Batch:
    batch = await uow.batches.get(batch_id)
    if batch is not None and batch.owner != owner:
        note_refusal(Thing.BATCH, batch_id)
    if batch is None or batch.owner != owner:
        raise TaskNotFound(f"there is no batch {batch_id}")
    return batch
