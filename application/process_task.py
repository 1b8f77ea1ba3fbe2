"""One attempt at a task, from the claim to its end in exactly one state."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import structlog
from structlog.contextvars import bound_contextvars

from application.claim_task import ClaimTask
from application.delete_task import remove_transcripts
from application.finished_transcript import FinishedTranscript, lay_out
from application.hold import Hold
from application.origin import serving
from application.ports.blobs import BlobStore
from application.ports.metrics import Metrics
from application.ports.notify import EventPublisher
from application.ports.persistence import NewUnitOfWork
from application.ports.system import Clock
from application.ports.tracing import Tracer
from application.untraced import UNTRACED
from domain.backoff import after_failure
from domain.errors import (
    ColloquyError,
    DatabaseUnavailable,
    DeviceUnavailable,
    EngineFailed,
    FetchUnavailable,
    Interrupted,
    LeaseLost,
    ParentGone,
    StorageFull,
    StorageUnavailable,
)
from domain.task import Task, TaskError, TaskId, TaskStatus
from domain.transcript import Transcript

_WAITED_OUT = (StorageFull, StorageUnavailable, DatabaseUnavailable, DeviceUnavailable)
"""Causes outside the recording: its task waits, as often as need be, and no strike is counted."""

_log = structlog.get_logger()


class ProcessTask:
    """Claims a task, transcribes it, stores the transcript, ends the task; a task that is not ours to claim is left.

    Bytes before row: the transcript is stored under a key of its own before the task says `done`, so a crash between
    the two only repeats the last step.
    """

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        blobs: BlobStore,
        events: EventPublisher,
        clock: Clock,
        metrics: Metrics,
        transcribe: Callable[[Hold], Awaitable[Transcript]],
        worker: str,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._metrics = metrics
        self._tracer = tracer
        self._transcribe = transcribe
        self._claim = ClaimTask(new_uow=new_uow, worker=worker)
        self._holds: set[Hold] = set()
        self._stopping = False

    def stop(self) -> None:
        """Claim nothing any more, and stop the attempts under way; their tasks go back to the queue, unharmed."""
        self._stopping = True
        for hold in self._holds:
            hold.stop("shutdown")

    @property
    def busy(self) -> int:
        """How many attempts are under way."""
        return len(self._holds)

    async def __call__(self, task_id: TaskId) -> None:
        """Make one attempt at this task; whatever happens to it stands in its row afterwards."""
        since = self._clock.monotonic()
        if task := await self._claim.one(task_id):
            await self._work(task, since)

    async def next(self) -> bool:
        """Make one attempt at the task whose turn it is; return whether there was one to be had."""
        since = self._clock.monotonic()
        task = None if self._stopping else await self._claim.next()
        if task is not None:
            await self._work(task, since)
        return task is not None

    async def knows(self, task_id: TaskId) -> bool:
        """Whether there is such a task."""
        async with self._new_uow() as uow:
            return await uow.tasks.get(task_id) is not None

    async def _work(self, task: Task, since: float) -> None:
        with (
            serving(task.origin),
            bound_contextvars(task_id=str(task.id), attempt=task.attempt),
            self._tracer.span("attempt", parent=task.origin.traceparent, task_id=str(task.id)) as span,
        ):
            span.note(attempt=task.attempt, kind=task.kind.value)
            hold = await self._hold(task, since)
            span.note(status=hold.task.status.value)

    async def _hold(self, task: Task, since: float) -> Hold:
        log = _log.bind(task_id=str(task.id), attempt=task.attempt)
        log.info("task_claimed")
        hold = Hold(
            task, new_uow=self._new_uow, events=self._events, clock=self._clock, metrics=self._metrics, since=since
        )  # fmt: skip
        async with hold:
            self._holds.add(hold)
            if self._stopping:  # since the claim was begun
                hold.stop("shutdown")
            try:
                await self._attempt(hold)
            except LeaseLost:
                log.warning("task_lost")
                await hold.give_back()
            finally:
                self._holds.discard(hold)
        if hold.task.status.final:
            self._metrics.task_ended(hold.task.status)
        log.info("task_left", task_status=hold.task.status, code=hold.task.error and hold.task.error.code)
        return hold

    async def _attempt(self, hold: Hold) -> None:
        token, started = hold.token, self._clock.monotonic()
        try:
            transcript = await self._transcribe(hold)
            spent = hold.task.processing_ms + int((self._clock.monotonic() - started) * 1000)
            finished = await asyncio.to_thread(lay_out, hold.task, transcript)
            await self._complete(hold, finished, spent)
        except Interrupted:
            if hold.stopped == "cancelled":
                await hold.change(lambda task, now: task.cancelled(token=token, now=now))
            else:
                await hold.change(lambda task, now: task.release(token=token, now=now))
        except ParentGone:
            await hold.change(lambda task, now: task.cancelled(token=token, now=now))
        except _WAITED_OUT as error:
            await self._retry(hold, error, strike=False)
        except (EngineFailed, FetchUnavailable) as error:
            await self._retry(hold, error, strike=True)
        except LeaseLost:
            raise
        except ColloquyError as error:
            failure = TaskError(error.reason, error.detail)
            await hold.change(lambda task, now: task.fail(token=token, error=failure, now=now))
        except Exception:  # noqa: BLE001 - a task must end in a state that tells the truth, whatever went wrong
            _log.exception("attempt_failed", task_id=str(hold.id))
            await self._retry(hold, EngineFailed("an unexpected error", code="internal_error"), strike=True)

    async def _complete(self, hold: Hold, finished: FinishedTranscript, spent: int) -> None:
        # Whoever slept through the lease must not write over the result of the one who took the task over.
        await hold.confirm()
        await self._blobs.put(finished.key, _once(finished.encoded))

        def complete(task: Task, now: datetime) -> None:
            task.complete(
                token=hold.token,
                now=now,
                language=finished.language,
                duration=finished.duration,
                processing_ms=spent,
            )

        try:
            await hold.change(complete, beside=finished.record)
        except ParentGone:
            await self._blobs.delete(finished.key)
            raise
        except LeaseLost:
            async with self._new_uow() as uow:
                stored = await uow.tasks.get(hold.id)
            if stored is None:  # it was deleted while it ran: nothing of it may come back
                await remove_transcripts(self._blobs, hold.id)
                await self._blobs.delete(finished.key)
            elif stored.token == hold.token and stored.status is TaskStatus.DONE:
                hold.task = stored  # it was this very write, and only the answer got lost
                return
            raise

    async def _retry(self, hold: Hold, error: ColloquyError, *, strike: bool) -> None:
        _log.warning("attempt_failed", task_id=str(hold.id), code=error.reason, detail=error.detail)
        failure = TaskError(error.reason, error.detail)

        def retry(task: Task, now: datetime) -> None:
            wait = after_failure(task, error.reason)
            task.retry(token=hold.token, error=failure, delay=wait, now=now, strike=strike, stage=hold.failed_stage)

        await hold.change(retry)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
