"""Changing a stored task: read, let the entity decide, write if nobody else has; again if somebody has."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from application.announce_task import announce
from application.ports.persistence import NewUnitOfWork, StaleTask, UnitOfWork
from domain.census import cause_of, closed
from domain.errors import TaskNotFound
from domain.task import Task, TaskId

Beside = Callable[[UnitOfWork, Task, datetime], Awaitable[None]]
"""Writes what must be committed with a change or not at all."""


async def change_task(
    new_uow: NewUnitOfWork,
    task_id: TaskId,
    change: Callable[[Task, datetime], None],
    *,
    beside: Beside | None = None,
) -> Task:
    """Apply `change(task, now)` to the stored task, `now` being the database's clock.

    `beside` is called after the change is written, in the same unit of work. Whatever `change` raises leaves the task
    as it was. One that has ended keeps no checkpoints, however it ended, and is announced in the same unit of work, in
    which an attempt that has ended is counted too.

    Raises:
        TaskNotFound: the task is gone.
    """
    while True:
        async with new_uow() as uow:
            task = await uow.tasks.get(task_id)
            if task is None:
                raise TaskNotFound(f"there is no task {task_id}")
            now = await uow.tasks.now()
            ended_before, attempts = task.status.final, task.attempts
            change(task, now)
            if task.status.final:
                await uow.checkpoints.clear(task_id)
            try:
                await uow.tasks.save(task)
                if beside is not None:
                    await beside(uow, task, now)
            except StaleTask:
                continue
            if task.status.final and not ended_before:
                await announce(uow, task)
            if attempt := closed(attempts, task.attempts):
                await uow.census.attempt_ended(cause_of(attempt), by=task_id.int)
            await uow.commit()
            return task
