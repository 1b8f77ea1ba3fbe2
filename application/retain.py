"""Keeping recordings and transcripts no longer than was promised when they were handed in; run as a chore.

What is due is reckoned from a task's end by the database's clock, so that days without a service postpone nothing.
"""

from datetime import datetime

import structlog

from application.audit import record
from application.bury_task import bury
from application.change_task import change_task
from application.delete_clip import DeleteClip
from application.erase import Erase
from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork, StaleTask, UnitOfWork
from domain.audit import Action, Thing
from domain.deletion import DeletionReason
from domain.errors import TaskNotFound
from domain.task import Task, TaskId

_BATCH = 200
_ROUNDS = 100
"""Twenty thousand tasks a turn; a backlog of more takes several."""
_log = structlog.get_logger()


class EnforceRetention:
    """Purges recordings, and erases whole tasks, whose time has come; one that is in work or needed is never touched.

    A recording that several tasks share goes when the last of them lets go of it.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._erase = Erase(new_uow=new_uow, blobs=blobs)
        self._delete_clip = DeleteClip(new_uow=new_uow, blobs=blobs)

    async def __call__(self) -> None:
        """Do all that is due."""
        for _ in range(_ROUNDS):
            if not await self._expire_some() + await self._purge_some() + await self._expire_clips():
                break

    async def _expire_some(self) -> int:
        async with self._new_uow() as uow:
            due = await uow.keeping.transcripts_due(now=await uow.tasks.now(), limit=_BATCH)
        for task_id in due:
            await self._expire(task_id)
        return len(due)

    async def _expire(self, task_id: TaskId) -> None:
        async with self._new_uow() as uow:
            # Again, for somebody may have begun to revise it meanwhile.
            task = await uow.tasks.get(task_id)
            revising = [await uow.tasks.get(each) for each in await uow.keeping.revising(task_id)]
            if task is None or any(each is not None and not each.status.final for each in revising):
                return
            try:
                await bury(uow, task, DeletionReason.RETENTION)
            except StaleTask:
                return
            await uow.commit()
        _log.info("task_expired", task_id=str(task_id))
        await self._erase(task_id)

    async def _expire_clips(self) -> int:
        async with self._new_uow() as uow:
            due = await uow.clips.expired(by=await uow.tasks.now(), limit=_BATCH)
        for clip_id in due:
            await self._delete_clip.expire(clip_id)
            _log.info("clip_expired", clip_id=str(clip_id))
        return len(due)

    async def _purge_some(self) -> int:
        async with self._new_uow() as uow:
            due = await uow.keeping.media_due(now=await uow.tasks.now(), limit=_BATCH)
        for task_id in due:
            await self._purge(task_id)
        return len(due)

    async def _purge(self, task_id: TaskId) -> None:
        async with self._new_uow() as uow:
            task = await uow.tasks.get(task_id)
            if task is None:
                return
            others = await uow.keeping.holders(task.media.key) - 1
        # Bytes before row: after a crash between the two the next round finds the task again.
        if others <= 0:
            await self._blobs.delete(task.media.key)
        try:
            await change_task(self._new_uow, task_id, lambda task, now: task.purged(now=now), beside=_recorded)
        except TaskNotFound:
            return
        _log.info("recording_purged", task_id=str(task_id), shared=others > 0)


async def _recorded(uow: UnitOfWork, task: Task, _: datetime) -> None:
    reason = DeletionReason.RETENTION.value
    await record(uow, Action.DELETED, Thing.RECORDING, task.id, owner=task.owner, detail=reason)
