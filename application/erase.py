"""Removing what a deleted task has left in the blob store: begun when it is deleted, finished by a chore."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog

from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from domain.deletion import Deletion, Removed
from domain.task import TaskId

_BATCH = 500
_log = structlog.get_logger()


class Erase:
    """Removes the recording, unless another task holds it, and every transcript. Any number of times does no harm."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs

    async def __call__(self, task_id: TaskId) -> None:
        """Remove what is there now; whether it is all is for `FinishErasures` to say."""
        async with self._new_uow() as uow:
            deletion = await uow.deletions.get(task_id)
            if deletion is None or deletion.completed_at is not None:
                return
            shared = await uow.keeping.holders(deletion.media_key) > 0
        transcripts = [key async for key in self._blobs.list(transcripts_of(task_id))]
        if deletion.removed is None:
            removed = await self._measure(deletion.media_key, transcripts, shared=shared)
            await _change(self._new_uow, task_id, lambda stored: stored.measured(removed))
        for key in transcripts:
            await self._blobs.delete(key)
        if not shared:
            await self._blobs.delete(deletion.media_key)

    async def _measure(self, media: str, transcripts: Sequence[str], *, shared: bool) -> Removed:
        recording = None if shared else await self._blobs.stat(media)
        found = {key: stat for key in transcripts if (stat := await self._blobs.stat(key)) is not None}
        size = sum(stat.size for stat in found.values()) + (recording.size if recording else 0)
        # Results that were kept beside a transcript have one dot more in their names.
        made = sum(key.count(".") == 1 for key in found)
        return Removed(recordings=int(recording is not None), transcripts=made, bytes=size, shared=shared)


class FinishErasures:
    """Brings every deletion to its end: when no worker can write any more, and the database keeps no trace either.

    `wipe` has the database drop what it keeps of deleted rows beside its tables; False says that it cannot just now.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, erase: Erase, wipe: Callable[[], Awaitable[bool]]) -> None:
        self._new_uow = new_uow
        self._erase = erase
        self._wipe = wipe

    async def __call__(self) -> None:
        """Go once over all that is unfinished."""
        async with self._new_uow() as uow:
            now = await uow.tasks.now()
            unfinished = await uow.deletions.unfinished(limit=_BATCH)
        for task_id in unfinished:
            await self._erase(task_id)
        if unfinished and await self._wipe():
            for task_id in unfinished:
                await self._complete(task_id, since=now)

    async def _complete(self, task_id: TaskId, *, since: datetime) -> None:
        stored = await _change(self._new_uow, task_id, lambda deletion: deletion.swept(now=since))
        if stored is not None and stored.completed_at is not None:
            _log.info("task_erased", task_id=str(task_id), reason=stored.reason)


async def _change(new_uow: NewUnitOfWork, task_id: TaskId, change: Callable[[Deletion], None]) -> Deletion | None:
    async with new_uow() as uow:
        deletion = await uow.deletions.get(task_id)
        if deletion is not None:
            change(deletion)
            await uow.deletions.save(deletion)
            await uow.commit()
        return deletion


def transcripts_of(task_id: TaskId) -> str:
    """Name the folder of a task's transcripts."""
    return f"transcripts/{task_id}/"
