"""Holding a claimed task: its lease is renewed, its progress told, and its end noticed, beside the work itself.

Nothing here does any of the work; and whoever holds must write through here, so that each write names the token.
While the database is away the work goes on for as long as the lease surely holds, and not a moment longer.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

import structlog

from application.change_task import Beside, change_task
from application.patience import patiently
from application.ports.metrics import Metrics
from application.ports.notify import EventPublisher, TaskEvent
from application.ports.persistence import NewUnitOfWork
from application.ports.system import Clock, ProgressSink
from application.progress import Progress
from domain.errors import ColloquyError, DatabaseUnavailable, Interrupted, LeaseLost, StorageFull, TaskNotFound
from domain.pace import Work
from domain.stage import Stage, StageStatus
from domain.task import LEASE, Phase, Task, TaskId

T = TypeVar("T")

LOOK_SECONDS = 1.0
"""How often the row is read: cancelling takes no longer than this and the kill of a child."""
RENEW_SECONDS = LEASE.total_seconds() / 3
_NOTEWORTHY = 0.005
_SHUTDOWN_SECONDS = 5.0
"""How long a process that is to end waits for a database that is away; the sweep takes its tasks back else."""
_GIVE_BACK_SECONDS = 600.0
"""How long a worker that lost its lease to an outage waits to say so; it has nothing better to do."""
_AWAY: tuple[type[ColloquyError], ...] = (DatabaseUnavailable,)
_NO_WRITE = (DatabaseUnavailable, StorageFull)

_log = structlog.get_logger()


class Hold:
    """One attempt at one task, from claim to end. Use as an async context; the sinks may be called from any thread.

    `since` is the monotonic time at which the claim began: from then on the lease surely holds for its length.
    """

    def __init__(
        self, task: Task, *, new_uow: NewUnitOfWork, events: EventPublisher, clock: Clock, metrics: Metrics,
        since: float | None = None,
    ) -> None:  # fmt: skip
        self.task = task
        self.token = task.token
        self.progress = Progress(clock)
        self.failed_stage = ""
        self._new_uow = new_uow
        self._events = events
        self._clock = clock
        self._metrics = metrics
        self._stopped: str | None = None
        self._shutdown_at: float | None = None
        self._closing = asyncio.Event()
        self._thread_safe = threading.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._written = 0.0
        self._promised = self._stood_still = False
        self._known: set[str] = set()
        self.started = clock.monotonic()
        self._confirmed = self.started if since is None else since

    @property
    def id(self) -> TaskId:
        """The task's id."""
        return self.task.id

    async def __aenter__(self) -> Self:
        """Start keeping the lease."""
        await self._recall()
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
            if why == "shutdown":
                self._shutdown_at = self._shutdown_at or self._clock.monotonic()

    @property
    def stopped(self) -> str | None:
        """Why the work must stop, or None."""
        return self._stopped

    def check(self) -> None:
        """Raise if the work must stop.

        Raises:
            LeaseLost: another worker has the task, it was deleted, or nobody can tell because the database is away.
            Interrupted: it was cancelled, the process is shutting down, or a stage beside this one failed.
        """
        self._check_lease()
        if self._stopped is not None:
            raise Interrupted(f"the work was stopped: {self._stopped}")

    def sink(self, phase: Phase, start: float = 0.0, end: float = 1.0) -> ProgressSink:
        """Return a sink that reports a part of `phase`, the one from `start` to `end` of it."""

        def report(fraction: float) -> None:
            self.check()
            self.progress.report(phase, start + (end - start) * fraction)

        return report

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Work inside this on what checkpoints `name` or `name/…` hold; whose failure came first is remembered."""
        try:
            yield
        except Exception:
            self.failed_stage = self.failed_stage or name
            raise

    async def change(self, change: Callable[[Task, datetime], None], *, beside: Beside | None = None) -> None:
        """Write a transition of the task under its token, with what `beside` writes, and tell its followers.

        Raises:
            LeaseLost: the task is no longer held, or it is gone.
        """
        await self._while_held(lambda: self._change(change, beside=beside), _NO_WRITE)

    async def measured(self, duration: int, *, beside: Beside | None = None) -> None:
        """Write how long the recording is, in ms, and how long the work will take, which can be told from now on.

        Raises:
            LeaseLost: the task is no longer held, or it is gone.
        """
        self.progress.duration = duration
        phase, fraction, overall, eta = self.progress.now()

        def note(task: Task, now: datetime) -> None:
            task.measured(token=self.token, duration=duration)
            task.advance(
                token=self.token, phase=phase, fraction=fraction, progress=overall, eta_ms=eta, now=now
            )  # fmt: skip

        await self.change(note, beside=beside)
        self._promised = eta is not None

    async def confirm(self) -> None:
        """Renew the lease now, before a step that must not be taken beside another worker.

        Raises:
            LeaseLost: the task is no longer held, or it is gone.
        """
        began = self._clock.monotonic()
        await self.change(lambda task, now: task.renew(token=self.token, now=now))
        self._confirmed = max(began, self._confirmed)

    async def checkpoint(self, name: str, payload: bytes) -> None:
        """Store a finished part; it survives this process.

        Raises:
            LeaseLost: the task is no longer held.
            StorageFull: the database has no room for it.
        """

        async def store() -> None:
            async with self._new_uow() as uow:
                await uow.checkpoints.put(self.id, name, token=self.token, payload=payload)
                await uow.commit()

        await self._while_held(store, _AWAY)
        # A part that an earlier attempt had finished too is no progress.
        if name not in self._known and (self.task.strikes or self.task.crashes):
            stage = name.partition("/")[0]
            await self.change(lambda task, _: task.checkpointed(token=self.token, stage=stage))
        self._known.add(name)

    async def checkpoints(self) -> dict[str, bytes]:
        """Return what earlier attempts have stored.

        Raises:
            LeaseLost: the database was away for longer than the lease.
        """

        async def read() -> dict[str, bytes]:
            async with self._new_uow() as uow:
                return await uow.checkpoints.all(self.id)

        stored = await self._while_held(read, _AWAY)
        self._known |= stored.keys()
        return stored

    async def learn(self, stage: Stage, audio: int | None = None) -> None:
        """Remember what the stage took for `audio` ms, or for the whole recording, so that the next can be foretold.

        It is not worth an attempt: where the database does not take it, it is forgotten.
        """
        audio = self.task.duration if audio is None else audio
        if stage.status in {StageStatus.RAN, StageStatus.DEGRADED} and audio:
            self._metrics.stage_ran(stage, audio_ms=audio)
            with suppress(*_NO_WRITE):
                async with self._new_uow() as uow:
                    await uow.paces.learn(Work.of(stage), seconds=stage.seconds, audio=audio / 1000)
                    await uow.commit()

    async def give_back(self) -> None:
        """Release a task whose lease could not be renewed in time, if nobody has taken it meanwhile.

        An outage says nothing of the recording: it must not look like a worker that died of it.
        """
        until = self._clock.monotonic() + _GIVE_BACK_SECONDS
        with suppress(LeaseLost, *_NO_WRITE):
            await patiently(
                lambda: self._change(lambda task, now: task.release(token=self.token, now=now)),
                left=lambda: min(until - self._clock.monotonic(), self._shutdown_left()),
                away=_NO_WRITE,
            )

    async def _change(self, change: Callable[[Task, datetime], None], *, beside: Beside | None = None) -> None:
        try:
            self.task = await change_task(self._new_uow, self.id, change, beside=beside)
        except TaskNotFound as error:
            raise LeaseLost("the task was deleted") from error
        self.progress.duration = self.task.duration
        await self._events.publish(event_of(self.task))

    async def _recall(self) -> None:
        self.progress.duration = self.task.duration
        with suppress(*_NO_WRITE):
            async with self._new_uow() as uow:
                self.progress.paces = await uow.paces.all()

    async def _while_held(self, step: Callable[[], Awaitable[T]], away: tuple[type[ColloquyError], ...]) -> T:
        self._check_lease()
        try:
            return await patiently(step, left=lambda: min(self._lease_left(), self._shutdown_left()), away=away)
        except away as error:
            self.stop("lost")
            raise LeaseLost("nothing could be written while the lease was sure to hold") from error

    def _check_lease(self) -> None:
        if self._lease_left() <= 0:
            self.stop("lost")
        if self._stopped == "lost":
            raise LeaseLost("the task is no longer held")

    def _lease_left(self) -> float:
        return LEASE.total_seconds() - (self._clock.monotonic() - self._confirmed)

    def _shutdown_left(self) -> float:
        began = self._shutdown_at
        return float("inf") if began is None else _SHUTDOWN_SECONDS - (self._clock.monotonic() - began)

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
            stalled = self.progress.stalled()

            def report(task: Task, at: datetime) -> None:
                task.renew(token=self.token, now=at)
                task.advance(
                    token=self.token, phase=phase, fraction=fraction, progress=overall, eta_ms=eta, now=at,
                    stalled=stalled,
                )  # fmt: skip

            news = (eta is not None, stalled) != (self._promised, self._stood_still)
            if news or now - self._confirmed >= RENEW_SECONDS or abs(overall - self._written) >= _NOTEWORTHY:
                await self._change(report)
                self._promised, self._stood_still = eta is not None, stalled
                self._confirmed, self._written = max(now, self._confirmed), overall
        except LeaseLost:
            self.stop("lost")
        except Exception as error:  # noqa: BLE001 - whatever the database raises, the lease's time decides
            known = isinstance(error, ColloquyError)  # it comes each second then, and there is no more to say
            left, trace = round(self._lease_left(), 1), None if known else error
            _log.warning("lease_renewal_failed", task_id=str(self.id), left=left, error=str(error), exc_info=trace)
            if self._lease_left() <= 0:
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
        stalled=task.stalled,
        error=task.error,
        version=task.version,
    )
