"""Reading a finished task's transcript."""

import asyncio

from application.ports.blobs import BlobNotFound, BlobStore
from application.ports.persistence import NewUnitOfWork
from application.query_tasks import owned
from application.rendering.transcript_codec import decode_transcript
from domain.errors import TaskNotFound, TaskNotReady
from domain.task import OwnerId, TaskId, TaskStatus, transcript_key
from domain.transcript import Transcript


class GetResult:
    """Gives the latest revision of a transcript; every format is rendered from it."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs

    async def __call__(self, owner: OwnerId, task_id: TaskId) -> Transcript:
        """Return the transcript.

        Raises:
            TaskNotFound: there is no such task, or it was deleted while it was read.
            TaskNotReady: it has not ended well (yet); the detail says where it stands.
        """
        async with self._new_uow() as uow:
            task = await owned(uow, owner, task_id)
        if task.status is not TaskStatus.DONE:
            why = f" ({task.error.code}: {task.error.detail})" if task.error else ""
            raise TaskNotReady(f"the task is {task.status}{why}")
        try:
            chunks = [chunk async for chunk in self._blobs.open(transcript_key(task_id, task.revision))]
        except BlobNotFound as error:
            raise TaskNotFound(f"there is no task {task_id}") from error
        # Hours of words take longer to read back than the event loop may stand still.
        return await asyncio.to_thread(decode_transcript, b"".join(chunks))
