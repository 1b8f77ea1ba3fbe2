"""Resumable uploads by tus 1.0.0: begun, sent in pieces over lines that break, and then transcribed by their id."""

from typing import Any
from uuid import UUID

from litestar import MediaType, Request, Response, delete, head, patch, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath

from application.begin_resumable import BeginResumable
from application.resume_upload import Piece, ResumeUpload, Standing
from domain.access import Caller
from domain.upload import UploadId
from entrypoints.http import tus_headers as tus
from entrypoints.http.openapi import problems
from entrypoints.http.operations import PieceOperation
from entrypoints.http.rates import Zone
from entrypoints.http.upload import body_of

_PART = {"zone": Zone.UNLIMITED}
"""The upload was counted when it was begun; it may come in any number of pieces."""
_OFFSET = ResponseHeader(
    name="Upload-Offset", value="70", description="How many bytes are here.", documentation_only=True
)


@post(
    "/tus",
    request_max_body_size=None,  # ResumeUpload counts what arrives
    opt={"zone": Zone.UPLOADS},
    operation_class=PieceOperation,
    summary="Begin a resumable upload",
    response_description="It is expected; `Location` is where its bytes go.",
    response_headers=[_OFFSET],
    tags=["Resumable uploads"],
    responses=problems(
        "tus_version", "too_large", "empty_file", "too_many_uploads", "unsupported_media", "piece_mismatch",
        "request_timeout", "storage_full",
    ),
)  # fmt: skip
async def begin_resumable(
    request: Request[Caller, Any, Any],
    caller: NamedDependency[Caller],
    begin: NamedDependency[BeginResumable],
    resume: NamedDependency[ResumeUpload],
) -> Response[None]:
    """Send `Tus-Resumable: 1.0.0` and `Upload-Length`; any client of tus 1.0.0 does. The first piece may come along.

    `Upload-Metadata` may hold a `filename`. What is complete is transcribed, or kept as a clip, by the `upload_id` at
    the end of `Location`.
    """
    tus.require_version(request)
    length, (metadata, filename), checksum = tus.declared_length(request), tus.metadata(request), tus.checksum(request)
    with_piece = request.content_length not in {None, 0} or "transfer-encoding" in request.headers
    if with_piece:
        tus.require_piece(request)
    upload = await begin(caller.owner, length=length, filename=filename, metadata=metadata)
    standing = Standing(upload, 0)
    if with_piece:
        piece = Piece(chunks=body_of(request, digested=False), offset=0, size=request.content_length, checksum=checksum)
        standing = await resume.append(caller.owner, upload.id, piece)
    headers = {"Location": f"{tus.PATH}/{upload.id}", **tus.standing_headers(standing)}
    return Response(None, status_code=201, media_type=MediaType.TEXT, headers=headers)


@head(
    "/tus/{upload_id:uuid}",
    opt=_PART,
    summary="How far a resumable upload is",
    response_description="Where to go on.",
    response_headers=[_OFFSET],
    tags=["Resumable uploads"],
    responses=problems("not_found", "upload_expired", "tus_version"),
)
async def look_at_resumable(
    request: Request[Caller, Any, Any],
    upload_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    resume: NamedDependency[ResumeUpload],
) -> Response[None]:
    """Tell `Upload-Offset`: everything before it is safe here, also when this service is restarted."""
    tus.require_version(request)
    standing = await resume.look(caller.owner, UploadId(upload_id))
    return Response(None, media_type=MediaType.TEXT, headers=tus.upload_headers(standing))


@patch(
    "/tus/{upload_id:uuid}",
    status_code=204,
    request_max_body_size=None,
    opt=_PART,
    operation_class=PieceOperation,
    summary="Send a piece",
    response_description="It is here.",
    response_headers=[_OFFSET],
    tags=["Resumable uploads"],
    responses=problems(
        "not_found", "request_timeout", "upload_offset", "upload_expired", "tus_version", "too_large",
        "unsupported_media", "upload_mismatch", "upload_locked", "piece_mismatch", "storage_full",
    ),
)  # fmt: skip
async def send_piece(
    request: Request[Caller, Any, Any],
    upload_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    resume: NamedDependency[ResumeUpload],
) -> Response[None]:
    """Send bytes from `Upload-Offset` on, as many as you like. When the line breaks, what has arrived is kept.

    With `Upload-Checksum` the piece is kept whole or not at all.
    """
    tus.require_version(request)
    tus.require_piece(request)
    piece = Piece(
        chunks=body_of(request, digested=False),
        offset=tus.offset(request),
        size=request.content_length,
        length=tus.number(request, "Upload-Length"),
        checksum=tus.checksum(request),
    )
    standing = await resume.append(caller.owner, UploadId(upload_id), piece)
    return Response(None, status_code=204, headers=tus.standing_headers(standing))


@delete(
    "/tus/{upload_id:uuid}",
    opt=_PART,
    summary="Give a resumable upload up",
    response_description="It is gone.",
    tags=["Resumable uploads"],
    responses=problems("not_found", "upload_expired", "tus_version", "upload_locked"),
)
async def abandon_resumable(
    request: Request[Caller, Any, Any],
    upload_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    resume: NamedDependency[ResumeUpload],
) -> None:
    """Remove an upload with all that came of it, unless a task or a clip has it already."""
    tus.require_version(request)
    await resume.abandon(caller.owner, UploadId(upload_id))
