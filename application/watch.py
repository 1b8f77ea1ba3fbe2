"""What is known of a task at the moment, shared by whoever follows it in this process; it asks nobody."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

from application.ports.notify import TaskEvent
from domain.errors import TaskNotFound


class Watch:
    """The task's latest state; `followers` is who waits for the next one."""

    def __init__(self) -> None:
        self.followers = 0
        self._latest: TaskEvent | None = None
        self._gone = False
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self._gone or (self._latest is not None and self._latest.status.final)

    def keep(self, work: Coroutine[None, None, None]) -> None:
        """Have `work` bring the states; if it fails, whoever waits for them fails with it."""
        self._keeper = asyncio.create_task(work)
        self._keeper.add_done_callback(self._left)

    def let_go(self) -> None:
        """Bring no more states."""
        if self._keeper is not None:
            self._keeper.cancel()

    def take(self, event: TaskEvent | None) -> None:
        """Take a state, unless a later one is known; None says that the task is gone."""
        if self.ended:
            return
        if event is None:
            self._gone = True
        elif event.version is None:
            event = None if self._latest is None else replace(event, version=self._latest.version)
            if event in {None, self._latest}:  # the row is about to be read, or it says nothing new
                return
        elif self._latest is not None and event.version <= (self._latest.version or 0):
            return
        self._latest = event or self._latest
        self._wake()

    async def after(self, last: TaskEvent | None) -> TaskEvent:
        """Wait for a state other than `last`, and return it.

        Raises:
            TaskNotFound: the task was deleted.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            if self._gone:
                raise TaskNotFound("the task was deleted")
            if self._latest is not None and self._latest is not last:
                return self._latest
            await self._changed.wait()

    def _left(self, keeper: asyncio.Task[None]) -> None:
        self._failure = None if keeper.cancelled() else keeper.exception()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
