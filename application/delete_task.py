"""Deleting a task with all that belongs to it."""

from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from application.query_tasks import owned
from domain.task import OwnerId, TaskId, media_key


class DeleteTask:
    """Removes the row first, so that the task is gone at once, then its bytes.

    A worker that still runs it finds the row gone at its next look, stops, and writes nothing more. Bytes that a crash
    leaves behind are orphans without a row, which `Sweep` removes.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs

    async def __call__(self, owner: OwnerId, task_id: TaskId) -> None:
        """Delete the task.

        Raises:
            TaskNotFound: there is no such task.
        """
        async with self._new_uow() as uow:
            await owned(uow, owner, task_id)
            await uow.tasks.delete(task_id)
            await uow.commit()
        await remove_blobs(self._blobs, task_id)


async def remove_blobs(blobs: BlobStore, task_id: TaskId) -> None:
    """Remove a task's recording and all its transcripts."""
    await blobs.delete(media_key(task_id))
    for key in [key async for key in blobs.list(f"transcripts/{task_id}/")]:
        await blobs.delete(key)
