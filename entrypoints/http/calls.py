"""Calls that hand a recording in and wait for what becomes of it; each is a task like any other, so nothing is lost."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Any

from litestar import Request

from application.cancel_task import CancelTask
from application.follow_task import FollowTask
from application.get_result import GetResult
from application.query_tasks import QueryTasks
from application.submission import Submission
from application.submit_transcription import SubmitTranscription
from domain.access import Caller
from domain.clip import ClipId, ClipMedia
from domain.errors import ColloquyError
from domain.options import TranscriptionOptions
from domain.task import Task, TaskError, TaskStatus
from domain.transcript import Transcript
from entrypoints.http.limits import HttpLimits
from entrypoints.http.prefer import hung_up
from entrypoints.http.problem_types import KINDS
from entrypoints.http.upload import UploadReceiver
from entrypoints.http.upload_form import RECORDING, Asked, Fields, Look, Part, Read, Upload


class JobFailed(ColloquyError):
    """The task behind a call ended in error; it was tried as often as that makes sense."""

    def __init__(self, error: TaskError) -> None:
        super().__init__(error.detail, code=error.code if error.code in KINDS else "internal_error")


class Calls:
    """Takes recordings in, and waits for the ends of their tasks."""

    def __init__(
        self,
        *,
        submit: SubmitTranscription,
        tasks: QueryTasks,
        follow: FollowTask,
        result: GetResult,
        cancel: CancelTask,
        limits: HttpLimits,
    ) -> None:
        self._submit = submit
        self._tasks = tasks
        self._follow = follow
        self._result = result
        self._cancel = cancel
        self._uploads = UploadReceiver(limits)
        self._patience = limits.sync_seconds

    async def take(
        self,
        request: Request[Any, Any, Any],
        caller: Caller,
        read: Read[Asked],
        options: Callable[[Asked], TranscriptionOptions],
        *,
        look: Look | None = None,
        part: Part = RECORDING,
        complete: Callable[[Upload[Asked]], AbstractAsyncContextManager[TranscriptionOptions]] | None = None,
    ) -> tuple[Task, Asked]:
        """Receive the recording and submit it; `options` are those of what `read` makes of the form's fields.

        `complete` gives them again, with what only the whole form tells, and undoes what it did if they are refused.

        Raises what `UploadReceiver.receive` and `SubmitTranscription` do.
        """
        await self._submit.expect(caller.owner, None)

        def checked(fields: Fields) -> Asked:
            asked = read(fields)
            self._submit.check(options(asked))
            return asked

        async with (
            self._uploads.receive(request, checked, look, part=part) as upload,
            complete(upload) if complete else nullcontext(options(upload.asked)) as effective,
        ):
            submission = Submission(
                owner=caller.owner, options=effective, filename=upload.filename, priority=caller.priority
            )
            return await self._submit(submission, upload.media), upload.asked

    async def of_clip(self, caller: Caller, clip: ClipId, options: TranscriptionOptions) -> Task:
        """Submit a recording that is kept here; raises what `SubmitTranscription` does."""
        await self._submit.expect(caller.owner, None)
        submission = Submission(owner=caller.owner, options=options, filename="", priority=caller.priority)
        return await self._submit(submission, ClipMedia(clip))

    async def ended(self, request: Request[Any, Any, Any], task: Task, *, for_ever: bool = False) -> bool:
        """Wait for the end of the task, for as long as the service lets a caller, or as the caller stays.

        One who hangs up wants it no more: it is cancelled.
        """
        end = asyncio.ensure_future(self._final(task))
        gone = asyncio.ensure_future(hung_up(request))
        patience = None if for_ever else self._patience
        try:
            done, _ = await asyncio.wait({end, gone}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if end in done:
                end.result()
                return True
            if gone in done:
                await self.give_up(task)
            return False
        finally:
            end.cancel()
            gone.cancel()

    async def transcript(self, task: Task) -> Transcript:
        """Return what the task has made, once it has ended.

        Raises:
            JobFailed: nothing.
        """
        ended = (await self._tasks.one(task.owner, task.id)).task
        if ended.status is not TaskStatus.DONE:
            raise JobFailed(ended.error or TaskError("wrong_state", "the task was cancelled"))
        return await self._result(task.owner, task.id)

    async def give_up(self, task: Task) -> None:
        """Cancel the task, if that is still possible."""
        with suppress(ColloquyError):  # it has ended, or is gone
            await self._cancel(task.owner, task.id)

    async def _final(self, task: Task) -> None:
        async for _ in self._follow(task.owner, task.id):
            pass
