"""Cancelling a task."""

from datetime import datetime

from application.audit import record
from application.change_task import change_task
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.query_tasks import owned
from domain.audit import Action, Thing
from domain.task import OwnerId, Task, TaskId


class CancelTask:
    """Stops a queued task at once and asks a running one to stop; its worker notices within a second or two."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def __call__(self, owner: OwnerId, task_id: TaskId) -> Task:
        """Cancel; repeating it gives the same answer.

        Raises:
            TaskNotFound: there is no such task.
            WrongState: it has already ended otherwise.
        """
        async with self._new_uow() as uow:
            await owned(uow, owner, task_id)

        async def recorded(uow: UnitOfWork, task: Task, _: datetime) -> None:
            await record(uow, Action.CANCELLED, Thing.TASK, task.id, owner=owner)

        return await change_task(
            self._new_uow, task_id, lambda task, now: task.request_cancel(now=now), beside=recorded
        )  # fmt: skip
