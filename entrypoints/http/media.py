"""Fetching a recording back, whole or by ranges, as players do."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from litestar import MediaType, Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, Parameter
from litestar.response import Redirect, Stream

from application.get_media import GetMedia, KeptMedia
from domain.access import Caller
from domain.task import TaskId
from entrypoints.http.filenames import attachment
from entrypoints.http.openapi import problems
from entrypoints.http.ranges import UnsatisfiableRange, media_type, wanted_range


@get(
    "/tasks/{task_id:uuid}/media",
    summary="The recording",
    media_type="application/octet-stream",
    response_description="The recording.",
    response_headers=[
        ResponseHeader(name="Accept-Ranges", value="bytes", documentation_only=True),
        ResponseHeader(name="ETag", value='"6e4b…"', description="For `If-Range`.", documentation_only=True),
    ],
    tags=["Tasks"],
    responses={
        206: ResponseSpec(bytes, generate_examples=False, media_type="application/octet-stream",
                          description="The part that `Range` asked for."),
        307: ResponseSpec(None, generate_examples=False, description="With `redirect`: where the store has it."),
        416: ResponseSpec(None, generate_examples=False, description="The range lies behind the end."),
        **problems("not_found", "invalid_options", "media_purged", "storage_unavailable"),
    },
)  # fmt: skip
async def get_media(
    request: Request[Caller, Any, Any],
    task_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    media: NamedDependency[GetMedia],
    redirect: Annotated[bool, Parameter(description="Be sent to the store, where clients can reach it.")] = False,  # noqa: FBT002 - Litestar passes it by name
) -> Response[Any]:
    """Return what was handed in, byte for byte; a single `Range` is honoured, so that players can seek."""
    return await media_response(request, media, await media.find(caller.owner, TaskId(task_id)), redirect=redirect)


async def media_response(
    request: Request[Any, Any, Any], media: GetMedia, kept: KeptMedia, *, redirect: bool
) -> Response[Any]:
    """Answer with the recording, or the part that is asked for, or where the store has it."""
    kind, disposition = media_type(kept.filename), attachment(kept.filename or "recording")
    if redirect and (url := media.url(kept, media_type=kind, disposition=disposition)):
        return Redirect(url, status_code=307, media_type=MediaType.TEXT)
    headers = {
        "Accept-Ranges": "bytes", "ETag": f'"{kept.etag}"', "Content-Disposition": disposition,
        "Cache-Control": "private, no-cache",
    }  # fmt: skip
    try:
        part = _wanted(request, kept)
    except UnsatisfiableRange:
        return Response(b"", status_code=416, headers={**headers, "Content-Range": f"bytes */{kept.size}"})
    start, end = part or (0, kept.size)
    headers["Content-Length"] = str(end - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{kept.size}"
    headers["Content-Type"] = kind  # a handler's own media type, which is for the description, would go before Stream's
    chunks = media.read(kept, start, end)
    # The first chunk is fetched now: what is gone or out of reach can still be told by a status.
    first = await anext(chunks, b"")
    return Stream(_joined(first, chunks), status_code=206 if part else 200, headers=headers)


def _wanted(request: Request[Any, Any, Any], kept: KeptMedia) -> tuple[int, int] | None:
    header = request.headers.get("range", "")
    condition = request.headers.get("if-range", "")
    if not header or (condition and condition != f'"{kept.etag}"'):
        return None
    return wanted_range(header, kept.size)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
