"""Taking a task to work on it: by name, or the one whose turn it is; it does none of the work."""

from collections.abc import Sequence
from datetime import datetime

from application.announce_task import announce
from application.ports.persistence import NewUnitOfWork, StaleTask, UnitOfWork
from domain.errors import WrongState
from domain.task import Task, TaskId

_CANDIDATES = 4
"""Tasks that one question brings: one is taken, the others are for when somebody else was faster."""
_ROUNDS = 3


class ClaimTask:
    """Claims tasks for `worker`; of several who want the same one, exactly one gets it."""

    def __init__(self, *, new_uow: NewUnitOfWork, worker: str) -> None:
        self._new_uow = new_uow
        self._worker = worker

    async def one(self, task_id: TaskId) -> Task | None:
        """Return this task, claimed whether or not it is its turn; None when it cannot be had."""
        async with self._new_uow() as uow:
            return await self._claim(uow, task_id, await uow.tasks.now())

    async def next(self) -> Task | None:
        """Return the task whose turn it is, claimed; None when none is due, or others were faster again and again."""
        for _ in range(_ROUNDS):
            async with self._new_uow() as uow:
                now = await uow.tasks.now()
                due = await uow.tasks.due(now=now, limit=_CANDIDATES, claiming=True)
                if not due:
                    return None
                if task := await self._first(uow, due, now):
                    return task
        return None

    async def _first(self, uow: UnitOfWork, due: Sequence[TaskId], now: datetime) -> Task | None:
        for task_id in due:
            if task := await self._claim(uow, task_id, now):
                return task
        return None

    async def _claim(self, uow: UnitOfWork, task_id: TaskId, now: datetime) -> Task | None:
        task = await uow.tasks.get(task_id)
        if task is None:
            return None
        try:
            task.claim(worker=self._worker, now=now)
            await uow.tasks.save(task)
        except (WrongState, StaleTask):
            return None
        await uow.tasks.take_turn(task)
        if task.started_at == now:  # later attempts are no news
            await announce(uow, task)
        await uow.commit()
        return task
