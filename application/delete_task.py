"""Deleting a task with all that belongs to it, and telling what became of that."""

from collections.abc import Sequence

import structlog

from application.audit import note_refusal
from application.bury_task import bury
from application.erase import Erase, transcripts_of
from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork, StaleTask
from application.query_tasks import owned
from domain.audit import Thing
from domain.deletion import Deletion, DeletionReason
from domain.errors import TaskNotFound
from domain.task import OwnerId, TaskId

_log = structlog.get_logger()


class DeleteTask:
    """Removes the row first, so that the task is gone at once, then its bytes.

    A worker that still runs it finds the row gone at its next look, stops, and writes nothing more. Whatever is left
    undone stands in the tombstone that came with the row's removal, and is done by `FinishErasures`.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._erase = Erase(new_uow=new_uow, blobs=blobs)

    async def __call__(self, owner: OwnerId, task_id: TaskId) -> None:
        """Delete the task.

        Raises:
            TaskNotFound: there is no such task.
        """
        while not await self._bury(owner, task_id):
            pass  # somebody changed what revises it
        try:
            await self._erase(task_id)
        except Exception:  # noqa: BLE001 - the task is gone for good, and that is what was asked for
            _log.warning("erasure_deferred", task_id=str(task_id), exc_info=True)

    async def _bury(self, owner: OwnerId, task_id: TaskId) -> bool:
        async with self._new_uow() as uow:
            task = await owned(uow, owner, task_id)
            try:
                await bury(uow, task, DeletionReason.CALLER)
            except StaleTask:
                return False
            await uow.commit()
            return True


class QueryDeletions:
    """Shows an owner the receipts of its deletions."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def one(self, owner: OwnerId, task_id: TaskId) -> Deletion:
        """Return the receipt.

        Raises:
            TaskNotFound: no such task of the owner's was deleted.
        """
        async with self._new_uow() as uow:
            deletion = await uow.deletions.get(task_id)
        if deletion is not None and deletion.owner != owner:
            note_refusal(Thing.TASK, task_id)
        if deletion is None or deletion.owner != owner:
            raise TaskNotFound(f"there is no deletion of a task {task_id}")
        return deletion

    async def page(self, owner: OwnerId, *, before: TaskId | None, limit: int) -> Sequence[Deletion]:
        """Return up to `limit` receipts, those of the newest tasks first, from after `before`."""
        async with self._new_uow() as uow:
            return await uow.deletions.page(owner, before=before, limit=limit)


async def remove_transcripts(blobs: BlobStore, task_id: TaskId) -> None:
    """Remove all transcripts of a task that was deleted while one was written."""
    for key in [key async for key in blobs.list(transcripts_of(task_id))]:
        await blobs.delete(key)
