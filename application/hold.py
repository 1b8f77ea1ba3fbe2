"""Holding a claimed task: its lease is renewed, its progress told, and its end noticed, beside the work itself.

Nothing here does any of the work; and whoever holds must write through here, so that each write names the token.
"""

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from application.change_task import change_task
from application.ports.notify import EventPublisher, TaskEvent
from application.ports.persistence import NewUnitOfWork
from application.ports.system import Clock, ProgressSink
from application.progress import Progress
from domain.errors import Interrupted, LeaseLost, TaskNotFound
from domain.task import LEASE, Phase, Task, TaskId

LOOK_SECONDS = 1.0
"""How often the row is read: cancelling takes no longer than this and the kill of a child."""
RENEW_SECONDS = LEASE.total_seconds() / 3
_NOTEWORTHY = 0.005

_log = structlog.get_logger()


class Hold:
    """One attempt at one task, from claim to end. Use as an async context; the sinks may be called from any thread."""

    def __init__(self, task: Task, *, new_uow: NewUnitOfWork, events: EventPublisher, clock: Clock) -> None:
        self.task = task
        self.token = task.token
        self.progress = Progress(clock)
        self._new_uow = new_uow
        self._events = events
        self._clock = clock
        self._stopped: str | None = None
        self._closing = asyncio.Event()
        self._thread_safe = threading.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._written = 0.0
        self.started = self._renewed = clock.monotonic()

    @property
    def id(self) -> TaskId:
        """The task's id."""
        return self.task.id

    async def __aenter__(self) -> Self:
        """Start keeping the lease."""
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop keeping the lease; it is the work's end that gives it up."""
        self._closing.set()
        if self._keeper is not None:
            await self._keeper

    def stop(self, why: str) -> None:
        """Have every sink raise from now on; `why` is `cancelled`, `shutdown`, `lost` or `failed`."""
        with self._thread_safe:
            self._stopped = self._stopped or why

    @property
    def stopped(self) -> str | None:
        """Why the work must stop, or None."""
        return self._stopped

    def check(self) -> None:
        """Raise if the work must stop.

        Raises:
            LeaseLost: another worker has the task, or it was deleted.
            Interrupted: it was cancelled, the process is shutting down, or a stage beside this one failed.
        """
        if self._stopped == "lost":
            raise LeaseLost("the task is no longer held")
        if self._stopped is not None:
            raise Interrupted(f"the work was stopped: {self._stopped}")

    def sink(self, phase: Phase, start: float = 0.0, end: float = 1.0) -> ProgressSink:
        """Return a sink that reports a part of `phase`, the one from `start` to `end` of it."""

        def report(fraction: float) -> None:
            self.check()
            self.progress.report(phase, start + (end - start) * fraction)

        return report

    async def change(self, change: Callable[[Task, datetime], None], *, clear: bool = False) -> None:
        """Write a transition of the task under its token, and tell its followers.

        Raises:
            LeaseLost: the task is no longer held, or it is gone.
        """
        try:
            self.task = await change_task(self._new_uow, self.id, change, clear=clear)
        except TaskNotFound as error:
            raise LeaseLost("the task was deleted") from error
        await self._events.publish(event_of(self.task))

    async def checkpoint(self, name: str, payload: bytes) -> None:
        """Store a finished part; it survives this process.

        Raises:
            LeaseLost: the task is no longer held.
        """
        async with self._new_uow() as uow:
            await uow.checkpoints.put(self.id, name, token=self.token, payload=payload)
            await uow.commit()
        if self.task.strikes or self.task.crashes:
            await self.change(lambda task, _: task.checkpointed(token=self.token))

    async def checkpoints(self) -> dict[str, bytes]:
        """Return what earlier attempts have stored."""
        async with self._new_uow() as uow:
            return await uow.checkpoints.all(self.id)

    async def _keep(self) -> None:
        while self._stopped != "lost":
            try:
                await asyncio.wait_for(self._closing.wait(), LOOK_SECONDS)
            except TimeoutError:
                await self._look()
            else:
                return

    async def _look(self) -> None:
        try:
            now = self._clock.monotonic()
            async with self._new_uow() as uow:
                stored = await uow.tasks.get(self.id)
            if stored is None or stored.token != self.token or stored.lease is None:
                self.stop("lost")
                return
            if stored.cancel_requested:
                self.stop("cancelled")
            phase, fraction, overall, eta = self.progress.now()

            def report(task: Task, at: datetime) -> None:
                task.renew(token=self.token, now=at)
                task.advance(token=self.token, phase=phase, fraction=fraction, progress=overall, eta_ms=eta, now=at)

            if now - self._renewed >= RENEW_SECONDS or abs(overall - self._written) >= _NOTEWORTHY:
                await self.change(report)
                self._renewed, self._written = now, overall
        except LeaseLost:
            self.stop("lost")
        except Exception:  # noqa: BLE001 - whatever the database raises, the work decides by the lease's time
            # The database may be away for a while. Work goes on while the lease surely holds, and no longer.
            _log.exception("lease_renewal_failed", task_id=str(self.id))
            if self._clock.monotonic() - self._renewed >= LEASE.total_seconds():
                self.stop("lost")


def event_of(task: Task) -> TaskEvent:
    """Describe where a task stands now."""
    return TaskEvent(
        task_id=task.id,
        status=task.status,
        phase=task.phase,
        phase_fraction=task.phase_fraction,
        progress=task.progress,
        eta_ms=task.eta_ms,
        duration=task.duration,
    )
