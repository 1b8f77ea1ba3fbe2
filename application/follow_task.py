"""Following a task until it ends: events where they come, the row where they do not.

Whoever follows a task in this process shares one watch of it, so that a thousand followers cost what one does.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from application.hold import event_of
from application.ports.notify import EventPublisher, TaskEvent
from application.ports.persistence import NewUnitOfWork
from application.query_tasks import owned
from application.watch import Watch
from domain.errors import DatabaseUnavailable
from domain.task import OwnerId, TaskId

_DOUBT_SECONDS = 2.0
"""After this long without an event the row is read: an event may be lost, and a cancelled queue tells nobody."""


class FollowTask:
    """Gives a task's state now and at each change, and ends with its final one. For one event loop.

    No state is older than the one before it, whichever way each came; whoever reads slowly skips to the latest.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, events: EventPublisher) -> None:
        self._new_uow = new_uow
        self._events = events
        self._watches: dict[TaskId, Watch] = {}

    async def __call__(self, owner: OwnerId, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        """Yield the states.

        Raises:
            TaskNotFound: there is no such task, or it was deleted meanwhile.
        """
        with self._watching(task_id) as watch:
            async with self._new_uow() as uow:
                task = await owned(uow, owner, task_id)
            watch.take(event_of(task))
            last: TaskEvent | None = None
            while last is None or not last.status.final:
                last = await watch.after(last)
                yield last

    @contextmanager
    def _watching(self, task_id: TaskId) -> Iterator[Watch]:
        watch = self._watches.get(task_id)
        if watch is None:
            # What is told from this call on is heard, so that nothing fits between it and the reading of the row.
            watch = self._watches[task_id] = Watch()
            watch.keep(self._keep(watch, task_id, self._events.follow(task_id)))
        watch.followers += 1
        try:
            yield watch
        finally:
            watch.followers -= 1
            if not watch.followers:
                watch.let_go()
                self._watches.pop(task_id, None)

    async def _keep(self, watch: Watch, task_id: TaskId, events: AsyncIterator[TaskEvent]) -> None:
        coming: asyncio.Future[TaskEvent] | None = None
        try:
            while not watch.ended:
                coming = coming or asyncio.ensure_future(_next(events))
                await asyncio.wait([coming], timeout=_DOUBT_SECONDS)
                if coming.done():
                    watch.take(coming.result())
                    coming = None
                    continue
                with suppress(DatabaseUnavailable):  # it comes back, and who follows can wait
                    async with self._new_uow() as uow:
                        task = await uow.tasks.get(task_id)
                    watch.take(None if task is None else event_of(task))
        finally:
            if coming is not None:
                coming.cancel()


async def _next(events: AsyncIterator[TaskEvent]) -> TaskEvent:
    try:
        return await anext(events)
    except StopAsyncIteration:  # nothing more is told here; the row is
        return await asyncio.Future()
