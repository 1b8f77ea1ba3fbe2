"""Keeping what a crash or a lost message would break: run every few seconds, by anyone, any number of times."""

import structlog

from application.change_task import change_task
from application.ports.persistence import NewUnitOfWork
from application.ports.queue import Job, TaskQueue
from domain.backoff import after_crash
from domain.errors import TaskNotFound, WrongState
from domain.idempotency import KEPT

_BATCH = 64
"""Rings at once: who is woken goes on until nothing is due."""
_log = structlog.get_logger()


class Sweep:
    """Takes back tasks whose lease ran out, and rings again for every queued task that is due."""

    def __init__(self, *, new_uow: NewUnitOfWork, queue: TaskQueue) -> None:
        self._new_uow = new_uow
        self._queue = queue

    async def __call__(self, *, alone: bool = False) -> None:
        """Sweep once. `alone` says that no worker can be alive, as when the only process starts: all leases go."""
        async with self._new_uow() as uow:
            now = await uow.tasks.now()
            expired = await uow.tasks.leased(expired_by=None if alone else now)
        for task_id in expired:
            try:
                task = await change_task(
                    self._new_uow,
                    task_id,
                    lambda task, at: task.expire(now=at, delay=after_crash(task), gone=alone),
                )
            except (TaskNotFound, WrongState):
                continue  # it was renewed, ended or deleted in the meantime
            _log.warning("lease_expired", task_id=str(task_id), attempt=task.attempt, task_status=task.status)
        async with self._new_uow() as uow:
            now = await uow.tasks.now()
            if await uow.idempotency.forget(before=now - KEPT):
                await uow.commit()
            due = await uow.tasks.due(now=now, limit=_BATCH)
        for task_id in due:
            await self._queue.enqueue(Job.PROCESS_TASK, task_id)
