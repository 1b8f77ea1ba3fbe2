"""Taking a task out of the database, and leaving a tombstone, in one transaction; its bytes are `Erase`'s to remove."""

from application.announce_task import announce
from application.audit import record
from application.ports.persistence import UnitOfWork
from domain.audit import Action, Thing
from domain.census import DELETED
from domain.deletion import Deletion, DeletionReason
from domain.task import Task


async def bury(uow: UnitOfWork, task: Task, reason: DeletionReason) -> None:
    """Replace the task's row, and every row that hangs on it, by a tombstone.

    Tasks that retry it are recordings' tasks of their own and stay. Those that revise it have nothing left to revise:
    they are cancelled, and keep nothing of what they took over from it.

    Raises:
        StaleTask: one of those was changed meanwhile: read everything again.
    """
    now = await uow.tasks.now()
    revising = [await uow.tasks.get(task_id) for task_id in await uow.keeping.revising(task.id)]
    family = [task, *(each for each in revising if each is not None)]
    in_work = any(not each.status.final for each in family)
    await uow.deletions.add(Deletion.of(task, reason=reason, now=now, in_work=in_work))
    await uow.tasks.delete(task.id)
    await record(uow, Action.DELETED, Thing.TASK, task.id, owner=task.owner, detail=reason.value)
    if task.batch is not None:
        await uow.batches.remove(task.batch, if_empty=True)
    for each in family[1:]:
        ended_before = each.status.final
        each.orphaned(now=now)
        await uow.tasks.save(each)
        if each.status.final and not ended_before:
            await announce(uow, each)
    if task.lease is not None:
        await uow.census.attempt_ended(DELETED, by=task.id.int)
