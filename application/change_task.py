"""Changing a stored task: read, let the entity decide, write if nobody else has; again if somebody has."""

from collections.abc import Callable
from datetime import datetime

from application.ports.persistence import NewUnitOfWork, StaleTask
from domain.errors import TaskNotFound
from domain.task import Task, TaskId


async def change_task(
    new_uow: NewUnitOfWork, task_id: TaskId, change: Callable[[Task, datetime], None], *, clear: bool = False
) -> Task:
    """Apply `change(task, now)` to the stored task, `now` being the database's clock; `clear` drops its checkpoints.

    Whatever `change` raises leaves the task as it was.

    Raises:
        TaskNotFound: the task is gone.
    """
    while True:
        async with new_uow() as uow:
            task = await uow.tasks.get(task_id)
            if task is None:
                raise TaskNotFound(f"there is no task {task_id}")
            change(task, await uow.tasks.now())
            if clear:
                await uow.checkpoints.clear(task_id)
            try:
                await uow.tasks.save(task)
            except StaleTask:
                continue
            await uow.commit()
            return task
