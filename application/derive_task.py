"""Adding a task that goes on from another one and shares its recording."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from application.admit_task import AdmitTask
from application.announce_task import announce
from application.audit import record
from application.ports.persistence import NewUnitOfWork, StaleTask, UnitOfWork
from application.query_tasks import owned
from domain.audit import Action, Thing
from domain.errors import WrongState
from domain.task import OwnerId, Task, TaskId

Make = Callable[[UnitOfWork, Task, datetime], Awaitable[Task]]
"""Returns the new task, given the one that it goes on from; what it raises leaves everything as it was."""


async def derive_task(
    new_uow: NewUnitOfWork, admit: AdmitTask, owner: OwnerId, task_id: TaskId, make: Make, *, action: Action
) -> Task:
    """Add the task that `make` derives from the owner's task; the audit log calls that `action`.

    The origin is saved with it: whoever removes it, or its recording, at the same moment, either is seen here or sees
    the new task, which still needs the recording.

    Raises:
        TaskNotFound: there is no such task.
        QueueFull: too many tasks wait.
    """
    while True:
        async with new_uow() as uow:
            origin = await owned(uow, owner, task_id)
            try:
                task = await make(uow, origin, await uow.tasks.now())
                await uow.tasks.save(origin)
                await admit.hold(uow, task)
            except StaleTask:
                continue
            await uow.tasks.add(task)
            await record(uow, action, Thing.TASK, task_id, owner=owner, detail=str(task.id))
            await record(uow, Action.CREATED, Thing.TASK, task.id, owner=owner)
            await announce(uow, task)
            await uow.commit()
            return task


def require_recording(task: Task) -> None:
    """Refuse to go on from a task whose recording is gone.

    Raises:
        WrongState: `recording_purged`.
    """
    if task.media_purged_at is not None:
        raise WrongState("the recording has been removed, as its age was reached", code="recording_purged")
