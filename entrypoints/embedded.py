"""The whole service in one process: the use cases of the large installation over SQLite, a folder, a queue in memory.

It holds the data folder by a lock, so a second process on the same folder is refused instead of doing damage.
"""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import IO, Self

from application.ports.queue import Job
from entrypoints.beating import Beating, beating
from entrypoints.couriers import Couriers
from entrypoints.http.app import ApiDependencies
from entrypoints.http.dependencies import api_dependencies
from entrypoints.numbers import Numbers, showing
from entrypoints.probe import OK, Probe
from entrypoints.work import Slots, lend_threads, sweep_regularly
from infrastructure.container import Container
from infrastructure.folders import hold_data_folder
from infrastructure.settings import Settings
from infrastructure.startup import prepare, remove_leftovers

_SHARED_PARTIAL = timedelta(days=1)
"""No upload takes longer than this, so what is older was left by a crash."""


class Embedded:
    """Runs tasks in this process, as an async context; leaving it puts running tasks back into the queue, unharmed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.container = Container(settings=settings)
        self.probe = Probe(self.container, settings, works=True, own=self._own_parts)
        self.spool_dir = settings.spool_dir
        self.beats: Beating
        self.numbers: Numbers
        self._undo = AsyncExitStack()
        self._lock: IO[bytes] | None = None
        self._slots: Slots
        self._couriers: Couriers
        self._background: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Take the data folder, bring the database up to date, take back what a crash left, and start working.

        Raises:
            DataFolderBusy: another process has the folder.
        """
        self._lock = hold_data_folder(self.settings.data, shared=False)
        lend_threads(self.settings.max.workers)
        await asyncio.to_thread(prepare, self.settings)
        await asyncio.to_thread(remove_leftovers, self.settings)
        await self.container.blobs().prepare()
        # Others may be writing to the same bucket now; a folder is this process's alone.
        await self.container.blobs().sweep_partial(_SHARED_PARTIAL if self.settings.bucket else timedelta())
        self._background.append(asyncio.create_task(asyncio.to_thread(self.container.hosts().start)))
        await self.container.sweep()(alone=self.settings.alone)
        bell = self.container.bell()
        poll_seconds = self.settings.worker.poll_seconds
        ring = partial(bell.next, Job.DELIVER_WEBHOOK)
        self._couriers = Couriers(self.container.deliver_webhook(), ring, poll_seconds=poll_seconds)
        self._couriers.start()
        self._slots = Slots(
            self.container.process_task(), bell.next, self.settings.max.workers, worked=self._couriers.wake,
            poll_seconds=poll_seconds,
        )  # fmt: skip
        self._slots.start()
        self._background.append(asyncio.create_task(sweep_regularly(self.container.sweep(), self.container.chores())))
        self.beats = await self._undo.enter_async_context(beating(self.settings, "service", self.probe))
        self.numbers = await self._undo.enter_async_context(
            showing(self.container, self.settings, self.probe, whole=True, works=True)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop taking tasks, release those that run, end the engines' processes, close the database."""
        for task in self._background:
            task.cancel()
        await self._slots.stop()
        await self._couriers.stop()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.to_thread(self.container.hosts().close)
        await self._undo.aclose()
        await self.container.events().close()
        await self.container.rate_limiter().close()
        await asyncio.to_thread(self.container.tracer().close)
        await self.container.database().dispose()
        if self._lock is not None:
            self._lock.close()

    def api(self) -> ApiDependencies:
        """The use cases that the HTTP API drives."""
        return api_dependencies(self.container, self.probe, self.numbers)

    def _own_parts(self) -> dict[str, str]:
        return {"workers": OK if self._slots.running else "stopped"}
