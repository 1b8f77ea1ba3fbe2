"""The dialect `clips`: a recording is sent first, and transcribed by its `clip_id` later, as often as one likes."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, Parameter, QueryParameter
from msgspec import Struct

from application.delete_clip import DeleteClip
from application.query_clips import QueryClips
from application.rendering import dialects
from application.store_clip import StoreClip
from domain.access import Caller
from domain.clip import ClipId
from domain.media import ChannelMode
from domain.options import TranscriptionOptions
from entrypoints.http.acceptance import LOCATION, accepted
from entrypoints.http.calls import Calls
from entrypoints.http.clips import ClipInfo, clip_info
from entrypoints.http.compat.fields import no_fields, only_parameters
from entrypoints.http.compat.operations import FAILURES, TAG, FileOperation
from entrypoints.http.openapi import problems
from entrypoints.http.rates import Zone
from entrypoints.http.schemas import Accepted
from entrypoints.http.upload import UploadReceiver

PREFIX = "/compat/clips"
ClipToHear = Annotated[UUID, QueryParameter(name="clip_id", description="Of a clip that was sent before.")]
Diarize = Annotated[bool, Parameter(description="Whether to tell speakers apart.")]


class ClipStored(Struct, frozen=True, kw_only=True):
    """A recording is kept."""

    clip_id: UUID
    message: str = "File uploaded successfully."


class ClipDeleted(Struct, frozen=True, kw_only=True):
    """A recording is gone."""

    clip_id: UUID
    message: str = "File deleted successfully."


@post(
    "/api/audio",
    status_code=200,
    opt={"zone": Zone.UPLOADS},
    request_max_body_size=None,  # the receiver counts what arrives
    operation_class=FileOperation,
    summary="clips: send a recording",
    tags=[TAG],
    response_description="Its `clip_id`.",
    responses=problems(
        "invalid_options", "empty_file", "not_found", "request_timeout", "too_large", "form_too_large",
        "unsupported_media", "storage_full",
    ),
)  # fmt: skip
async def upload_audio(
    request: Request[Caller, Any, Any],
    caller: NamedDependency[Caller],
    store: NamedDependency[StoreClip],
    uploads: NamedDependency[UploadReceiver],
) -> ClipStored:
    """Send the recording as `file`."""
    async with uploads.receive(request, no_fields, part=FileOperation.recording) as upload:
        clip = await store(caller.owner, upload.media, filename=upload.filename)  # type: ignore[arg-type] # a file
    return ClipStored(clip_id=clip.id)


@get(
    "/api/audio/{clip_id:uuid}",
    summary="clips: about a recording",
    tags=[TAG],
    response_description="What is known of it.",
    responses=problems("not_found"),
)
async def get_audio(
    clip_id: FromPath[UUID], caller: NamedDependency[Caller], clips: NamedDependency[QueryClips]
) -> ClipInfo:
    """Tell about the recording."""
    return clip_info(await clips.one(caller.owner, ClipId(clip_id)))


@delete(
    "/api/audio/{clip_id:uuid}",
    status_code=200,
    summary="clips: delete a recording",
    tags=[TAG],
    response_description="It is gone.",
    responses=problems("not_found"),
)
async def delete_audio(
    clip_id: FromPath[UUID], caller: NamedDependency[Caller], remove_clip: NamedDependency[DeleteClip]
) -> ClipDeleted:
    """Remove a recording; what was made of it stays."""
    await remove_clip(caller.owner, ClipId(clip_id))
    return ClipDeleted(clip_id=clip_id)


@post(
    "/api/transcribe",
    status_code=200,
    summary="clips: transcribe a recording",
    tags=[TAG],
    response_description="Who said what.",
    response_headers=[LOCATION],
    responses={
        202: ResponseSpec(Accepted, generate_examples=False, description="It takes longer: the task."),
        **problems(*FAILURES),
    },
)
async def transcribe_audio(
    request: Request[Caller, Any, Any],
    clip: ClipToHear,
    caller: NamedDependency[Caller],
    calls: NamedDependency[Calls],
    *,
    diarize: Diarize = True,
) -> Response[Any]:
    """Get the segments by the same call; what takes longer than a call may is answered 202 with its task."""
    only_parameters(request, ("clip_id", "diarize"))
    task = await calls.of_clip(caller, ClipId(clip), clip_options(diarize=diarize))
    if not await calls.ended(request, task):
        return accepted(task)
    transcript = await calls.transcript(task)
    segments = await asyncio.to_thread(dialects.spoken, transcript)
    return Response({"segments": segments}, status_code=200, headers={"X-Task-ID": str(task.id)})


def clip_options(*, diarize: bool) -> TranscriptionOptions:
    """Give the options; without speakers it is text in one stream, of which channels would make two."""
    return TranscriptionOptions(diarization=diarize, channels=ChannelMode.AUTO if diarize else ChannelMode.MIX)
