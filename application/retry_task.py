"""Trying a task again that ended badly: as a new one, since what has ended never changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from application.admit_task import AdmitTask
from application.derive_task import derive_task, require_recording
from application.origin import current_origin
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.ports.queue import Job, TaskQueue
from application.ports.system import IdFactory
from application.revise_task import ReviseTask
from domain.audit import Action
from domain.errors import WrongState
from domain.options import TranscriptionOptions
from domain.task import OwnerId, Task, TaskId, TaskKind, TaskStatus, media_key


class RetryTask:
    """Submits the recording of a failed or cancelled task again with the options that were stored.

    `check` refuses options that the configured engines cannot do any more.
    """

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        admit: AdmitTask,
        queue: TaskQueue,
        ids: IdFactory,
        check: Callable[[TranscriptionOptions], None],
        revise: ReviseTask,
    ) -> None:
        self._new_uow = new_uow
        self._admit = admit
        self._queue = queue
        self._ids = ids
        self._check = check
        self._revise = revise

    async def __call__(self, owner: OwnerId, task_id: TaskId, *, force: bool = False) -> Task:
        """Return the new task; `force` lets one go again that was set apart for killing its workers.

        Raises:
            TaskNotFound: there is no such task, or what it revises is gone.
            QueueFull: too many tasks wait.
            WrongState: it has not ended badly; or `recording_purged`, or `quarantined`.
            InvalidOptions, ModelNotFound, EngineUnavailable: as at submission.
        """

        async def retry(uow: UnitOfWork, failed: Task, now: datetime) -> Task:
            if failed.status not in {TaskStatus.ERROR, TaskStatus.CANCELLED}:
                raise WrongState(f"a task that is {failed.status} cannot be retried")
            if failed.quarantined and not force:
                raise WrongState("it was set apart, because working on it killed its workers", code="quarantined")
            if failed.kind is TaskKind.REVISE and failed.parent is not None:
                return await self._revise.again(uow, failed, now)
            require_recording(failed)
            self._check(failed.options)
            new = TaskId(self._ids.new())
            # What must still be fetched becomes the new task's own recording.
            media = replace(failed.media, key=media_key(new)) if failed.media.url else failed.media
            return Task.submit(
                id=new,
                owner=owner,
                options=failed.options,
                media=media,
                now=now,
                parent=failed.id,
                priority=failed.priority,
                retention=failed.retention,
                title=failed.title,
                tags=failed.tags,
                origin=current_origin(),
            )

        task = await derive_task(self._new_uow, self._admit, owner, task_id, retry, action=Action.RETRIED)
        await self._queue.enqueue(Job.PROCESS_TASK, task.id)
        return task
