"""Following a task until it ends: events where they come, the row where they do not."""

import asyncio
from collections.abc import AsyncIterator

from application.hold import event_of
from application.ports.notify import EventPublisher, TaskEvent
from application.ports.persistence import NewUnitOfWork
from application.query_tasks import owned
from domain.task import OwnerId, TaskId

_DOUBT_SECONDS = 2.0
"""After this long without an event the row is read: an event may be lost, and a cancelled queue tells nobody."""


class FollowTask:
    """Gives a task's state now and at each change, and ends with its final one."""

    def __init__(self, *, new_uow: NewUnitOfWork, events: EventPublisher) -> None:
        self._new_uow = new_uow
        self._events = events

    async def __call__(self, owner: OwnerId, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        """Yield the states.

        Raises:
            TaskNotFound: there is no such task, or it was deleted meanwhile.
        """
        events = self._events.follow(task_id)
        coming: asyncio.Task[TaskEvent] | None = None
        last: TaskEvent | None = None
        try:
            while last is None or not last.status.final:
                if coming is None:
                    coming = asyncio.ensure_future(anext(events))
                if last is not None:
                    await asyncio.wait([coming], timeout=_DOUBT_SECONDS)
                if last is not None and coming.done():
                    last, coming = coming.result(), None
                    yield last
                else:
                    async with self._new_uow() as uow:
                        now = event_of(await owned(uow, owner, task_id))
                    if now != last:
                        last = now
                        yield last
        finally:
            if coming is not None:
                coming.cancel()
