"""The dialect `clips`, as lines of JSON: what is said while it is recognised, and at the end who said it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from application.rendering import dialects
from domain.access import Caller
from domain.clip import ClipId
from domain.task import Task
from entrypoints.http.calls import Calls
from entrypoints.http.compat.clips import ClipToHear, Diarize, clip_options
from entrypoints.http.compat.fields import only_parameters
from entrypoints.http.compat.operations import FAILURES, TAG
from entrypoints.http.event_stream import STREAM_HEADERS
from entrypoints.http.events import Streams
from entrypoints.http.leaving import Leaving
from entrypoints.http.openapi import problems

_encoder = msgspec.json.Encoder()


def _operation_id(_: HTTPRouteHandler, _method: Method, path: Sequence[str | PathParameterDefinition]) -> str:
    """Name each of the paths that this has by what goes before its name."""
    return "_".join(["stream_audio", *(str(part) for part in path if part not in {"transcribe", "stream"})])


@post(
    ["/transcribe/stream", "/api/transcribe/stream"],
    status_code=200,
    media_type="application/x-ndjson",
    operation_id=_operation_id,
    summary="clips: transcribe a recording line by line",
    tags=[TAG],
    response_description="One JSON object a line.",
    responses=problems(*FAILURES),
)
async def stream_audio(
    request: Request[Caller, Any, Any],
    clip: ClipToHear,
    caller: NamedDependency[Caller],
    calls: NamedDependency[Calls],
    streams: NamedDependency[Streams],
    *,
    leaving: NamedDependency[Leaving],
    diarize: Diarize = True,
) -> Stream:
    """Get `started`, then `segment`, `progress` and `heartbeat` lines, and last `completed` or `error`.

    `completed` has the segments again, now with their speakers. Who stops reading has the work cancelled.
    """
    only_parameters(request, ("clip_id", "diarize"))
    task = await calls.of_clip(caller, ClipId(clip), clip_options(diarize=diarize))
    headers = {**STREAM_HEADERS, "X-Task-ID": str(task.id)}
    told = _lines(task, calls, streams.lines(task, leaving))
    return Stream(told, media_type="application/x-ndjson", headers=headers)


async def _lines(task: Task, calls: Calls, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    ended = False
    try:
        async for line in lines:
            told = msgspec.json.decode(line)
            yield await _with_speakers(told, task, calls) if told["type"] == "completed" else line
        ended = True
    finally:
        if not ended:
            await asyncio.shield(asyncio.ensure_future(calls.give_up(task)))


async def _with_speakers(told: dict[str, Any], task: Task, calls: Calls) -> bytes:
    segments = await asyncio.to_thread(dialects.spoken, await calls.transcript(task))
    return _encoder.encode({**told, "segments": segments}) + b"\n"
