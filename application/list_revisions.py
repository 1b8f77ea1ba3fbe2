"""Listing the revisions of a transcript."""

from collections.abc import Sequence

from application.ports.blobs import BlobNotFound, BlobStore
from application.ports.persistence import NewUnitOfWork
from application.ports.revisions import Revision
from application.query_tasks import owned
from application.read_transcript import read_transcript
from domain.errors import TaskNotFound
from domain.task import OwnerId, TaskId


class ListRevisions:
    """Tells which revisions there are, how each was made and by which task."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs

    async def __call__(self, owner: OwnerId, task_id: TaskId) -> Sequence[Revision]:
        """Return them by number; none before the task is done.

        Raises:
            TaskNotFound: there is no such task, or it was deleted meanwhile.
        """
        async with self._new_uow() as uow:
            task = await owned(uow, owner, task_id)
            known = await uow.revisions.all(task_id)
        if task.finished_at is None or not task.revision or any(revision.number == 1 for revision in known):
            return known
        # The release before wrote no rows of revisions: the transcript itself tells of the first one.
        try:
            transcript = await read_transcript(self._blobs, task_id, 1)
        except BlobNotFound as error:
            raise TaskNotFound(f"there is no task {task_id}") from error
        first = Revision(
            task_id=task_id, number=1, made_by=task_id, created_at=task.finished_at, options=task.options,
            stages=transcript.stages,
        )  # fmt: skip
        return [first, *known]
