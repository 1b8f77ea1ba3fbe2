"""Handing in a recording."""

from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency

from application.submit_transcription import Submission, SubmitTranscription
from domain.access import Caller
from entrypoints.http.openapi import problems
from entrypoints.http.operations import TranscribeOperation
from entrypoints.http.schemas import Accepted
from entrypoints.http.upload import UploadReceiver


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
    ],
    responses=problems(
        "invalid_options",
        "unsupported_language",
        "empty_file",
        "too_large",
        "form_too_large",
        "unsupported_media",
        "model_not_found",
        "model_unavailable",
        "storage_full",
    ),
)
async def transcribe(
    request: Request[Caller, Any, Any],
    caller: NamedDependency[Caller],
    submit: NamedDependency[SubmitTranscription],
    uploads: NamedDependency[UploadReceiver],
) -> Response[Accepted]:
    """Send the recording as `file`, and options as further form fields.

    The usual audio and video formats are taken, by their content: name and media type do not matter. Options are
    checked before the recording is read when they stand before it. A field with an unknown name is refused, so that a
    typing error cannot change a result silently.
    """
    async with uploads.receive(request, submit.check) as upload:
        submission = Submission(owner=caller.owner, options=upload.options, filename=upload.filename)
        task = await submit(submission, upload.path)
    accepted = Accepted(task_id=task.id, status=task.status, message="Task successfully created")
    return Response(accepted, headers={"Location": f"/api/v1/status/{task.id}"})
