"""Handing in a recording."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter, Parameter

from application.encoded_result import EncodedResult
from application.manage_webhooks import ManageWebhooks
from application.query_tasks import QueryTasks
from application.submission import Receipt, Submission
from application.submit_transcription import SubmitTranscription
from domain.access import Caller
from domain.task import TaskStatus
from entrypoints.http.form import TranscribeRequest, parse_fields
from entrypoints.http.openapi import problems
from entrypoints.http.operations import TranscribeOperation
from entrypoints.http.prefer import PREFERENCE_APPLIED, AwaitEnd, Prefer, preference
from entrypoints.http.result import result_response
from entrypoints.http.schemas import Accepted
from entrypoints.http.status import poll_hint
from entrypoints.http.upload import UploadReceiver

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Any text that you have not used for another request; a UUID, say.",
    ),
]
SUBMITTING = (
    "checksum_mismatch",
    "invalid_options",
    "unsupported_language",
    "empty_file",
    "not_found",
    "request_timeout",
    "upload_incomplete",
    "too_large",
    "form_too_large",
    "unsupported_media",
    "model_not_found",
    "model_unavailable",
    "idempotency_mismatch",
    "queue_full",
    "too_many_queued",
    "url_not_allowed",
    "not_configured",
    "storage_full",
)
"""What handing in can be answered with."""


@post(
    "/transcribe",
    status_code=202,
    request_max_body_size=None,  # UploadReceiver counts what arrives, and knows which part is the recording
    operation_class=TranscribeOperation,
    summary="Hand in a recording",
    tags=["Transcription"],
    response_description="Accepted: it will be transcribed, whatever happens to the process.",
    response_headers=[
        ResponseHeader(
            name="Location",
            value="/api/v1/status/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e",
            description="Where to ask how it goes.",
            documentation_only=True,
        ),
        PREFERENCE_APPLIED,
    ],
    responses={
        200: ResponseSpec(
            bytes, generate_examples=False, description="The transcript, as `Prefer: wait` asked for, in its `format`."
        ),
        **problems(*SUBMITTING),
    },
)
async def transcribe(
    request: Request[Caller, Any, Any],
    *,
    caller: NamedDependency[Caller],
    submit: NamedDependency[SubmitTranscription],
    uploads: NamedDependency[UploadReceiver],
    tasks: NamedDependency[QueryTasks],
    encoded: NamedDependency[EncodedResult],
    wait: NamedDependency[AwaitEnd],
    webhooks: NamedDependency[ManageWebhooks],
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
    clip_id: Annotated[UUID | None, Parameter(description="A clip that is kept here; no body is needed then.")] = None,
) -> Response[Any]:
    """Send the recording as `file`, or the `upload_id` or `clip_id` of one that is here, or a `url`, and options.

    Without a `file` they may be JSON, and where the path names the clip, nothing at all.

    The usual audio and video formats are taken, by their content: name and media type do not matter. Options are
    checked before the recording is read when they stand before it. A field with an unknown name is refused, so that a
    typing error cannot change a result silently.

    With an `Idempotency-Key` a request may be sent again within 24 hours, after a broken connection say: the same
    recording with the same options gets the same answer and is transcribed once, and anything else is refused.

    With `webhook_url` this task's events are sent there, beside the webhooks that you have registered.

    With `Prefer: wait=60` the answer is the transcript, if it is there within 60 seconds, and 202 else.
    """
    key = idempotency_key and idempotency_key.strip('"')
    await submit.expect(caller.owner, key)

    def read(pairs: Iterable[tuple[str, str]]) -> TranscribeRequest:
        asked = parse_fields(pairs)
        submit.check(asked.options)
        return asked

    async with uploads.receive(request, read, clip=clip_id) as upload:
        submission = Submission(
            owner=caller.owner,
            options=upload.asked.options,
            filename=upload.filename,
            priority=caller.priority,
            key=key,
            title=upload.asked.title,
            tags=upload.asked.tags,
            reuse=upload.asked.reuse,
            webhook=await webhooks.asked_for(caller.owner, upload.asked.webhook_url, upload.asked.webhook_secret),
            webhook_digest=upload.asked.webhook_digest,
        )
        receipt = await submit.hand_in(submission, upload.media)
    wish = preference(prefer, most=wait.most)
    task = receipt.task
    if wish.wait is not None:
        await wait(request, task.owner, task.id, wish.wait)
        task = (await tasks.one(task.owner, task.id)).task
        if task.status is TaskStatus.DONE:
            response = await result_response(request, encoded, task, task.options.format)
            response.headers.update({"Location": f"/api/v1/status/{task.id}", **wish.headers})
            response.status_code = 200
            return response
    return _accepted(receipt, {**poll_hint(task), **wish.headers})


def _accepted(receipt: Receipt, headers: dict[str, str]) -> Response[Accepted]:
    task, message = receipt.task, "Task successfully created"
    # What the first request was answered: a repeated one gets the same, wherever its task stands now.
    status = task.status if receipt.reused else TaskStatus.QUEUED
    if receipt.reused:
        message = "An earlier task has the same recording and options"
    accepted = Accepted(task_id=task.id, status=status, message=message, reused=receipt.reused)
    return Response(accepted, headers={"Location": f"/api/v1/status/{task.id}", **headers})
