"""Adding the row of a submitted task, once there is a place for it; the recording is stored before, not here."""

from datetime import datetime

from application.admit_task import AdmitTask
from application.announce_task import announce
from application.audit import record
from application.origin import current_origin
from application.ports.persistence import UnitOfWork
from application.submission import Submission
from domain.audit import Action, Thing
from domain.task import MediaSource, Retention, Task, TaskId


class AddTask:
    """Makes the task of a submission; `retention` is what it is promised, whatever is configured later."""

    def __init__(self, *, admit: AdmitTask, retention: Retention | None) -> None:
        self._admit = admit
        self._retention = retention

    async def __call__(
        self, uow: UnitOfWork, task_id: TaskId, submission: Submission, source: MediaSource, now: datetime
    ) -> Task:
        """Add the task to the unit of work, which is the caller's to commit.

        Raises:
            QueueFull: too many tasks wait.
        """
        task = Task.submit(
            id=task_id,
            owner=submission.owner,
            options=submission.options,
            media=source,
            now=now,
            priority=submission.priority,
            retention=self._retention,
            title=submission.title,
            tags=submission.tags,
            batch=submission.batch,
            origin=current_origin(),
        )
        await self._admit.hold(uow, task)
        await uow.tasks.add(task)
        await record(uow, Action.CREATED, Thing.TASK, task.id, owner=task.owner)
        if submission.webhook is not None:
            await uow.webhooks.add(submission.webhook.for_task(task.id, now=now))
        await announce(uow, task)
        return task
