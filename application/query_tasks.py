"""Reading tasks: one, or an owner's history page by page."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from application.audit import note_refusal
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.ports.task_filter import EVERYTHING, TaskFilter
from application.read_together import ReadTogether
from domain.audit import Thing
from domain.errors import InvalidOptions, TaskNotFound
from domain.search import query_terms, snippet
from domain.task import OwnerId, Task, TaskId, TaskStatus


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task and, while it waits, how many stand before it."""

    task: Task
    queue_position: int | None


@dataclass(frozen=True, slots=True)
class FoundTask:
    """A task whose transcript has what was looked for, and the words around the first place."""

    task: Task
    snippet: str


class QueryTasks:
    """Shows an owner its own tasks; somebody else's are not told apart from none.

    `look` gives cheaper units of work, which are good for one read.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, look: NewUnitOfWork | None = None) -> None:
        self._new_uow = new_uow
        self._look = look or new_uow
        self._task = ReadTogether(self._read)

    async def _read(self, task_ids: Collection[TaskId]) -> Mapping[TaskId, Task]:
        async with self._look() as uow:
            return await uow.tasks.many(task_ids)

    async def one(self, owner: OwnerId, task_id: TaskId) -> TaskView:
        """Return the task.

        Raises:
            TaskNotFound: there is none, or it is not the owner's.
        """
        task = await self._task(task_id)  # polls are what is asked most
        if task is not None and task.owner != owner:
            note_refusal(Thing.TASK, task_id)
        if task is None or task.owner != owner:
            raise TaskNotFound(f"there is no task {task_id}")
        if task.status is not TaskStatus.QUEUED:
            return TaskView(task, None)
        async with self._new_uow() as uow:
            return TaskView(task, await uow.tasks.position(task))

    async def page(
        self, owner: OwnerId, *, before: TaskId | None, limit: int, only: TaskFilter = EVERYTHING
    ) -> Sequence[Task]:
        """Return up to `limit` tasks that pass, newest first, from after `before`."""
        async with self._new_uow() as uow:
            return await uow.tasks.page(owner, before=before, limit=limit, only=only)

    async def search(
        self, owner: OwnerId, query: str, *, before: TaskId | None, limit: int, only: TaskFilter = EVERYTHING
    ) -> Sequence[FoundTask]:
        """Return the same of those in whose text each word of the query begins some word.

        Raises:
            InvalidOptions: the query has no letter and no digit.
        """
        terms = query_terms(query)
        if not terms:
            raise InvalidOptions("there is nothing to look for: q needs a letter or a digit")
        async with self._new_uow() as uow:
            hits = await uow.texts.find(owner, terms, before=before, limit=limit, only=only)
        return await asyncio.to_thread(lambda: [FoundTask(hit.task, snippet(hit.text, terms[:1])) for hit in hits])


async def owned(uow: UnitOfWork, owner: OwnerId, task_id: TaskId) -> Task:
    """Return the owner's task.

    Raises:
        TaskNotFound: there is none, or it is not the owner's.
    """
    task = await uow.tasks.get(task_id)
    if task is not None and task.owner != owner:
        note_refusal(Thing.TASK, task_id)
    if task is None or task.owner != owner:
        raise TaskNotFound(f"there is no task {task_id}")
    return task
