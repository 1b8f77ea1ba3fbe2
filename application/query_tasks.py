"""Reading tasks: one, or an owner's history page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.ports.persistence import NewUnitOfWork, UnitOfWork
from domain.errors import TaskNotFound
from domain.task import OwnerId, Task, TaskId, TaskStatus


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task and, while it waits, how many stand before it."""

    task: Task
    queue_position: int | None


class QueryTasks:
    """Shows an owner its own tasks; somebody else's are not told apart from none."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def one(self, owner: OwnerId, task_id: TaskId) -> TaskView:
        """Return the task.

        Raises:
            TaskNotFound: there is none, or it is not the owner's.
        """
        async with self._new_uow() as uow:
            task = await owned(uow, owner, task_id)
            waits = task.status is TaskStatus.QUEUED
            return TaskView(task, await uow.tasks.position(task) if waits else None)

    async def page(self, owner: OwnerId, *, before: TaskId | None, limit: int) -> Sequence[Task]:
        """Return up to `limit` tasks, newest first, from after `before`."""
        async with self._new_uow() as uow:
            return await uow.tasks.page(owner, before=before, limit=limit)


async def owned(uow: UnitOfWork, owner: OwnerId, task_id: TaskId) -> Task:
    """Return the owner's task.

    Raises:
        TaskNotFound: there is none, or it is not the owner's.
    """
    task = await uow.tasks.get(task_id)
    if task is None or task.owner != owner:
        raise TaskNotFound(f"there is no task {task_id}")
    return task
