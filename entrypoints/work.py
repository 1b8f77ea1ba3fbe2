"""What every process that works does: slots that take tasks until none is due, and the sweep beside them.

It knows neither broker nor HTTP. A bell only shortens the wait: whoever hears none asks the database every second.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

import structlog

from application.chores import Chores
from application.ports.queue import Job
from application.process_task import ProcessTask
from application.sweep import Sweep
from domain.task import TaskId

POLL_SECONDS = 1.0
"""How long a job waits at most for an idle slot when its bell was lost; a question costs the database a millisecond."""
SWEEP_SECONDS = 5.0
"""A dead worker's task waits for its lease to run out, then for a sweep: 35 of the 45 seconds that it may take."""
_SPARE_THREADS = 16
Bell = Callable[[], Awaitable[tuple[Job, UUID]]]
_T = TypeVar("_T")
_log = structlog.get_logger()


class Slots:
    """Works on up to `count` tasks at once in this event loop; `bell` returns when it rings, and for whom.

    `worked` is called after each attempt; an idle slot that hears no bell asks after `poll_seconds` at the latest.
    """

    def __init__(
        self,
        process: ProcessTask,
        bell: Bell,
        count: int,
        worked: Callable[[], object] = lambda: None,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._process = process
        self._bell = bell
        self._count = count
        self._worked = worked
        self._poll_seconds = poll_seconds
        self._running: list[asyncio.Task[None]] = []
        self._failing = False

    def start(self) -> None:
        """Begin."""
        self._running = [asyncio.create_task(self._work()) for _ in range(self._count)]

    @property
    def running(self) -> bool:
        """Whether every slot is up."""
        return bool(self._running) and not any(slot.done() for slot in self._running)

    def free(self) -> bool:
        """Whether a slot has nothing to do; from any thread."""
        return self._process.busy < self._count

    async def stop(self) -> None:
        """Claim nothing any more, have running attempts give their tasks back, and wait for that."""
        self._process.stop()
        for slot in self._running:
            slot.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _work(self) -> None:
        heard: UUID | None = None
        while True:
            if not await self._attempt():
                if heard is not None:
                    await self._look_up(TaskId(heard))
                heard = await self._wait()

    async def _attempt(self) -> bool:
        """Work on the next task; return whether there may be another."""
        try:
            worked = await _to_its_end(self._process.next())
        except Exception as error:  # noqa: BLE001 - one task's trouble must not end the slot
            # The row keeps the task, and says what became of it.
            if not self._failing:
                _log.warning("work_failed", error_type=type(error).__name__, exc_info=True)
            self._failing = True
            return False
        self._failing = False
        if worked:
            self._worked()
        return worked

    async def _wait(self) -> UUID | None:
        """Wait for a bell, or for the time to ask without one; workers that started together drift apart."""
        try:
            async with asyncio.timeout(self._poll_seconds * random.uniform(0.7, 1.0)):  # noqa: S311 - not a secret
                _, subject = await self._bell()
        except TimeoutError:
            return None
        _log.debug("bell_heard", task_id=str(subject))
        return subject

    async def _look_up(self, task_id: TaskId) -> None:
        """Say so when a bell rang for a task that does not exist; it stays answered."""
        try:
            if not await self._process.knows(task_id):
                _log.warning("bell_for_unknown_task", task_id=str(task_id))
        except Exception:  # noqa: BLE001 - a remark is not worth more
            _log.debug("look_up_failed", exc_info=True)


def lend_threads(tasks: int) -> None:
    """Give the event loop threads enough that files and answers do not wait behind so many tasks' engines."""
    threads = _SPARE_THREADS + 2 * tasks  # up to two engines at once for each
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="blocking"))


async def sweep_regularly(sweep: Sweep, chores: Chores) -> None:
    """Sweep, and do the chores beside that, for as long as the process lives, whatever the database does."""
    await asyncio.gather(_sweep(sweep), chores.forever())


async def _sweep(sweep: Sweep) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await sweep()
        except Exception:  # noqa: BLE001 - the next sweep may find the database well again
            _log.exception("sweep_failed")


async def _to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Await the work; whoever is cancelled meanwhile still waits for its end."""
    running = asyncio.create_task(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
