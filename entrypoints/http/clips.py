"""Clips: recordings that are handed in once and transcribed as often as one likes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, Parameter
from msgspec import Meta, Struct

from application.delete_clip import DeleteClip
from application.get_media import GetMedia
from application.query_clips import ClipView, QueryClips
from application.store_clip import StoreClip
from domain.access import Caller
from domain.clip import ClipId, ClipMedia
from domain.fetching import MediaUrl
from domain.span import to_seconds
from entrypoints.http.cursors import decode_cursor, encode_cursor
from entrypoints.http.errors import InvalidFields
from entrypoints.http.media import media_response
from entrypoints.http.openapi import problems
from entrypoints.http.operations import ClipOperation
from entrypoints.http.ranges import media_type
from entrypoints.http.upload import UploadReceiver

_ID = "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"


class ClipInfo(Struct, frozen=True, kw_only=True):
    """A kept recording."""

    clip_id: Annotated[UUID, Meta(examples=[_ID])]
    filename: Annotated[str, Meta(description="As it was handed in; for showing.", examples=["meeting.mp3"])]
    media_type: Annotated[str, Meta(description="By the file name; nothing depends on it.", examples=["audio/mpeg"])]
    size: Annotated[int, Meta(description="Bytes.", examples=[4_217_600])]
    sha256: Annotated[
        str | None, Meta(description="Of the content; null while nobody has read it.", examples=["6e4b" * 16])
    ]
    duration_seconds: Annotated[
        float | None, Meta(description="Once a task made of it has decoded it.", examples=[281.4])
    ]
    tasks: Annotated[int, Meta(description="How many were made of it.", examples=[2])]
    created_at: datetime
    expires_at: Annotated[datetime | None, Meta(description="Null for never.", examples=[None])]


class ClipPage(Struct, frozen=True, kw_only=True):
    """One page of an owner's clips, newest first."""

    clips: list[ClipInfo]
    next_cursor: Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null at the end.")]


def clip_info(view: ClipView) -> ClipInfo:
    """Show a clip."""
    clip = view.clip
    return ClipInfo(
        clip_id=clip.id,
        filename=clip.filename,
        media_type=media_type(clip.filename),
        size=clip.size,
        sha256=clip.sha256 or None,
        duration_seconds=None if view.duration is None else to_seconds(view.duration),
        tasks=clip.uses,
        created_at=clip.created_at,
        expires_at=clip.expires_at,
    )


def no_options(pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse every field: a clip has no options.

    Raises:
        InvalidFields: there is one.
    """
    if wrong := {name[:64]: f"{name[:64]}: there is no such field" for name, _ in pairs}:
        raise InvalidFields(wrong)


@post(
    "/audio",
    request_max_body_size=None,  # UploadReceiver counts what arrives
    operation_class=ClipOperation,
    summary="Keep a recording",
    response_description="It is kept.",
    response_headers=[
        ResponseHeader(
            name="Location", value=f"/api/v1/audio/{_ID}", description="The clip.", documentation_only=True
        )
    ],
    tags=["Clips"],
    responses=problems(
        "checksum_mismatch", "invalid_options", "empty_file", "not_found", "request_timeout", "upload_incomplete",
        "too_large", "form_too_large", "unsupported_media", "storage_full",
    ),
)  # fmt: skip
async def create_clip(
    request: Request[Caller, Any, Any],
    caller: NamedDependency[Caller],
    store: NamedDependency[StoreClip],
    uploads: NamedDependency[UploadReceiver],
) -> Response[ClipInfo]:
    """Send the recording as `file`, or the `upload_id` of one that was sent before; transcribe it by its `clip_id`.

    What came is held against `sha256`, and the whole body against `Content-Digest`, where they are given.
    """
    async with uploads.receive(request, no_options) as upload:
        if isinstance(upload.media, ClipMedia):
            raise InvalidFields({"clip_id": "clip_id: that is a clip already"})
        if isinstance(upload.media, MediaUrl):
            raise InvalidFields({"url": "url: a clip is sent; what a URL names can be transcribed"})
        clip = await store(caller.owner, upload.media, filename=upload.filename)
    return Response(clip_info(ClipView(clip, None)), headers={"Location": f"/api/v1/audio/{clip.id}"})


@get(
    "/audio",
    summary="Your clips",
    response_description="One page.",
    tags=["Clips"],
    responses=problems("invalid_options"),
)
async def list_clips(
    caller: NamedDependency[Caller],
    clips: NamedDependency[QueryClips],
    limit: Annotated[int, Parameter(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[str, Parameter(max_length=64, description="`next_cursor` of the page before.")] = "",
) -> ClipPage:
    """Walk the clips page by page; those that are added meanwhile do not shift the pages."""
    before = ClipId(decode_cursor(cursor)) if cursor else None
    found = await clips.page(caller.owner, before=before, limit=limit + 1)
    page = [clip_info(view) for view in found[:limit]]
    return ClipPage(clips=page, next_cursor=encode_cursor(page[-1].clip_id) if len(found) > limit else None)


@get(
    "/audio/{clip_id:uuid}",
    summary="One clip",
    response_description="What is known of it.",
    tags=["Clips"],
    responses=problems("not_found"),
)
async def get_clip(
    clip_id: FromPath[UUID], caller: NamedDependency[Caller], clips: NamedDependency[QueryClips]
) -> ClipInfo:
    """Tell about the recording; its bytes are at `/audio/{clip_id}/media`."""
    return clip_info(await clips.one(caller.owner, ClipId(clip_id)))


@get(
    "/audio/{clip_id:uuid}/media",
    summary="A clip's recording",
    media_type="application/octet-stream",
    response_description="The recording.",
    response_headers=[ResponseHeader(name="Accept-Ranges", value="bytes", documentation_only=True)],
    tags=["Clips"],
    responses={
        206: ResponseSpec(bytes, generate_examples=False, media_type="application/octet-stream",
                          description="The part that `Range` asked for."),
        307: ResponseSpec(None, generate_examples=False, description="With `redirect`: where the store has it."),
        416: ResponseSpec(None, generate_examples=False, description="The range lies behind the end."),
        **problems("not_found", "invalid_options", "media_purged", "storage_unavailable"),
    },
)  # fmt: skip
async def get_clip_media(
    request: Request[Caller, Any, Any],
    clip_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    media: NamedDependency[GetMedia],
    redirect: Annotated[  # noqa: FBT002 - Litestar passes it by name
        bool, Parameter(description="Be sent to the store, where clients can reach it, for a quarter of an hour.")
    ] = False,
) -> Response[Any]:
    """Return what was handed in, byte for byte; a single `Range` is honoured."""
    return await media_response(request, media, await media.clip(caller.owner, ClipId(clip_id)), redirect=redirect)


@delete(
    "/audio/{clip_id:uuid}",
    summary="Delete a clip",
    response_description="It is gone; `Location` is the receipt's.",
    tags=["Clips"],
    responses=problems("not_found"),
)
async def delete_clip(
    clip_id: FromPath[UUID], caller: NamedDependency[Caller], remove_clip: NamedDependency[DeleteClip]
) -> Response[None]:
    """Remove a clip. Tasks that were made of it keep the recording until they are deleted, or its age is reached."""
    await remove_clip(caller.owner, ClipId(clip_id))
    return Response(None, headers={"Location": f"/api/v1/deletions/{clip_id}"})
