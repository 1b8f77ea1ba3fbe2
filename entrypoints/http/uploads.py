"""Handing in a recording in two steps: announced and sent first, transcribed by its id afterwards."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from application.announce_upload import AnnounceUpload
from application.stage_upload import StageUpload
from domain.access import Caller
from domain.upload import UploadId
from entrypoints.http.filenames import shown_name
from entrypoints.http.limits import MAX_FIELDS_BYTES
from entrypoints.http.openapi import problems
from entrypoints.http.operations import RawUploadOperation
from entrypoints.http.upload import UploadReceiver


class Announcement(Struct, kw_only=True, forbid_unknown_fields=True):
    """A recording that will be sent."""

    filename: Annotated[str, Meta(max_length=1024, description="For showing.", examples=["meeting.mp3"])] = ""
    size: Annotated[int, Meta(ge=1, description="Exactly so many bytes.", examples=[4_217_600])]
    sha256: Annotated[
        str, Meta(pattern="^([0-9a-f]{64})?$", description="Of the content; then it is checked.", examples=[""])
    ] = ""


class Announced(Struct, frozen=True, kw_only=True):
    """Where to send the recording to."""

    upload_id: Annotated[UUID, Meta(examples=["0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"])]
    method: Annotated[str, Meta(examples=["PUT"])]
    url: Annotated[
        str,
        Meta(
            description="Where the bytes go, as the whole body. One that begins with `/` is a path of this API and "
            "takes your key; any other is the object store's, and takes no credentials.",
            examples=["/api/v1/uploads/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"],
        ),
    ]
    url_expires_at: Annotated[datetime, Meta(description="Until then sending can be begun.")]
    expires_at: Annotated[datetime, Meta(description="Until then a task can take the upload.")]


@post(
    "/uploads",
    request_max_body_size=MAX_FIELDS_BYTES,
    summary="Announce an upload",
    response_description="It is expected.",
    tags=["Transcription"],
    responses=problems("invalid_options", "too_large", "too_many_uploads"),
)
async def announce_upload(
    caller: NamedDependency[Caller], data: JSONBody[Announcement], announce: NamedDependency[AnnounceUpload]
) -> Announced:
    """For large recordings: they go straight to the object store, where the installation lets clients reach it.

    Send the bytes to `url`, then give `upload_id` to `/transcribe` instead of `file`. What came is measured then, and
    belongs to that task alone: sending something else to `url` later changes nothing.
    """
    offer = await announce(caller.owner, filename=shown_name(data.filename), size=data.size, sha256=data.sha256)
    return Announced(
        upload_id=offer.upload.id,
        method="PUT",
        url=offer.url or f"/api/v1/uploads/{offer.upload.id}",
        url_expires_at=offer.url_expires_at if offer.url else offer.upload.expires_at,
        expires_at=offer.upload.expires_at,
    )


@put(
    "/uploads/{upload_id:uuid}",
    status_code=204,
    request_max_body_size=None,  # UploadReceiver counts what arrives
    operation_class=RawUploadOperation,
    summary="Send an upload",
    response_description="It is here.",
    tags=["Transcription"],
    responses=problems(
        "checksum_mismatch",
        "not_found",
        "request_timeout",
        "too_large",
        "upload_incomplete",
        "upload_mismatch",
        "storage_full",
    ),
)
async def send_upload(
    request: Request[Caller, Any, Any],
    upload_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    stage: NamedDependency[StageUpload],
    uploads: NamedDependency[UploadReceiver],
) -> Response[None]:
    """Send the whole recording as the body; sending it again replaces what came before.

    With `Content-Digest` what came is held against it, and a body that has another is not kept.
    """
    upload = await stage.find(caller.owner, UploadId(upload_id))
    async with uploads.receive_raw(request, upload.size) as path:
        await stage.receive(upload, path)
    return Response(None, status_code=204)
