"""Giving a task other words of its owner's: a title, tags."""

from datetime import datetime

from application.audit import record
from application.change_task import change_task
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.query_tasks import owned
from domain.audit import Action, Thing
from domain.labels import checked_tags, checked_title
from domain.task import OwnerId, Task, TaskId


class LabelTask:
    """Changes what a task is called and found by, in whatever state it is."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def __call__(
        self, owner: OwnerId, task_id: TaskId, *, title: str | None = None, tags: tuple[str, ...] | None = None
    ) -> Task:
        """Return the task as it is now; None leaves the title, or the tags, as they are.

        Raises:
            TaskNotFound: there is no such task.
            InvalidOptions: they are too long or too many.
        """
        title = None if title is None else checked_title(title)
        tags = None if tags is None else checked_tags(tags)
        async with self._new_uow() as uow:
            await owned(uow, owner, task_id)

        async def recorded(uow: UnitOfWork, task: Task, _: datetime) -> None:
            await record(uow, Action.CHANGED, Thing.TASK, task.id, owner=owner)

        return await change_task(
            self._new_uow, task_id, lambda task, now: task.labelled(title=title, tags=tags, now=now), beside=recorded
        )
