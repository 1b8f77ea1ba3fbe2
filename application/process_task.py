"""One attempt at a task, from the claim to its end in exactly one state."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import structlog

from application.delete_task import remove_blobs
from application.hold import Hold
from application.ports.blobs import BlobStore
from application.ports.notify import EventPublisher
from application.ports.persistence import NewUnitOfWork, StaleTask
from application.ports.system import Clock
from application.rendering.transcript_codec import encode_transcript
from application.transcribe_media import TranscribeMedia
from domain.errors import (
    ColloquyError,
    DeviceUnavailable,
    EngineFailed,
    Interrupted,
    LeaseLost,
    StorageFull,
    WrongState,
)
from domain.task import Task, TaskError, TaskId, transcript_key

_STORAGE_DELAY = timedelta(seconds=60)
_FAILURE_DELAY = timedelta(seconds=5)
_DEVICE_DELAY = timedelta(seconds=60)

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
        transcribe: TranscribeMedia,
        worker: str,
    ) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._transcribe = transcribe
        self._worker = worker
        self._holds: set[Hold] = set()

    def stop(self) -> None:
        """Stop the attempts under way; their tasks go back to the queue, unharmed."""
        for hold in self._holds:
            hold.stop("shutdown")

    async def __call__(self, task_id: TaskId) -> None:
        """Make one attempt; whatever happens to it stands in the task's row afterwards."""
        task = await self._claim(task_id)
        if task is None:
            return
        log = _log.bind(task_id=str(task_id), attempt=task.attempt)
        log.info("task_claimed")
        async with Hold(task, new_uow=self._new_uow, events=self._events, clock=self._clock) as hold:
            self._holds.add(hold)
            try:
                await self._attempt(hold)
            except LeaseLost:
                log.warning("task_lost")
            finally:
                self._holds.discard(hold)
        log.info("task_left", status=hold.task.status, error=hold.task.error and hold.task.error.code)

    async def _claim(self, task_id: TaskId) -> Task | None:
        async with self._new_uow() as uow:
            task = await uow.tasks.get(task_id)
            if task is None:
                return None
            try:
                task.claim(worker=self._worker, now=await uow.tasks.now())
                await uow.tasks.save(task)
            except (WrongState, StaleTask):
                return None
            await uow.commit()
            return task

    async def _attempt(self, hold: Hold) -> None:
        token, started = hold.token, self._clock.monotonic()
        try:
            transcript = await self._transcribe(hold)
            spent = hold.task.processing_ms + int((self._clock.monotonic() - started) * 1000)
            encoded = await asyncio.to_thread(encode_transcript, transcript)
            await self._complete(hold, encoded, transcript.language, transcript.media.decoded, spent)
        except Interrupted:
            if hold.stopped == "cancelled":
                await hold.change(lambda task, now: task.cancelled(token=token, now=now), clear=True)
            else:
                await hold.change(lambda task, now: task.release(token=token, now=now))
        except StorageFull as error:
            await self._retry(hold, error, _STORAGE_DELAY, strike=False)
        except EngineFailed as error:
            await self._retry(hold, error, _FAILURE_DELAY, strike=True)
        except DeviceUnavailable as error:
            await self._retry(hold, error, _DEVICE_DELAY, strike=False)
        except LeaseLost:
            raise
        except ColloquyError as error:
            failure = TaskError(error.reason, error.detail)
            await hold.change(lambda task, now: task.fail(token=token, error=failure, now=now), clear=True)
        except Exception:  # noqa: BLE001 - a task must end in a state that tells the truth, whatever went wrong
            _log.exception("attempt_failed", task_id=str(hold.id))
            await self._retry(
                hold, EngineFailed("an unexpected error", code="internal_error"), _FAILURE_DELAY, strike=True
            )

    async def _complete(self, hold: Hold, encoded: bytes, language: str, duration: int, spent: int) -> None:
        revision = hold.task.revision + 1
        await self._blobs.put(transcript_key(hold.id, revision), _once(encoded))

        def complete(task: Task, now: datetime) -> None:
            task.complete(token=hold.token, now=now, language=language, duration=duration, processing_ms=spent)

        try:
            await hold.change(complete, clear=True)
        except LeaseLost:
            async with self._new_uow() as uow:
                deleted = await uow.tasks.get(hold.id) is None
            if deleted:  # while it ran: nothing of it may come back
                await remove_blobs(self._blobs, hold.id)
            raise

    async def _retry(self, hold: Hold, error: ColloquyError, delay: timedelta, *, strike: bool) -> None:
        _log.warning("attempt_failed", task_id=str(hold.id), code=error.reason, detail=error.detail)
        failure = TaskError(error.reason, error.detail)
        await hold.change(
            lambda task, now: task.retry(token=hold.token, error=failure, delay=delay, now=now, strike=strike)
        )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
