"""The dialect `diarizer`: who spoke in a call, for how long, and what was said, as lines."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from application.get_result import GetResult
from application.query_tasks import QueryTasks
from application.rendering import dialects
from domain.access import Caller
from domain.task import TaskId, TaskStatus
from entrypoints.http.calls import Calls
from entrypoints.http.compat.fields import job_options
from entrypoints.http.compat.operations import FAILURES, TAG, AudioFileOperation
from entrypoints.http.openapi import problems
from entrypoints.http.rates import Zone

PREFIX = "/compat/diarizer"
_STATUS = {TaskStatus.DONE: "completed", TaskStatus.ERROR: "failed"}


class DiarizationQueued(Struct, frozen=True, kw_only=True):
    """A recording was taken in."""

    job_id: UUID
    status: Annotated[str, Meta(examples=["queued"])] = "queued"


class DiarizationStatus(Struct, frozen=True, kw_only=True):
    """How it goes, and what came out."""

    job_id: UUID
    status: Annotated[
        str, Meta(description="`queued`, `processing`, `completed`, `failed` or `cancelled`.", examples=["completed"])
    ]
    progress: Annotated[float, Meta(ge=0, le=1, description="Part of the whole.", examples=[1.0])]
    result: Annotated[
        dict[str, Any] | None, Meta(description="Transcript, speakers and segments, once completed.", examples=[None])
    ]
    error: Annotated[str | None, Meta(description="Why it failed.", examples=[None])]


@post(
    "/diarize",
    status_code=200,
    opt={"zone": Zone.UPLOADS},
    request_max_body_size=None,  # the receiver counts what arrives
    operation_class=AudioFileOperation,
    summary="diarizer: hand in a recording",
    tags=[TAG],
    response_description="The job.",
    response_headers=[
        ResponseHeader(
            name="Location",
            value=f"{PREFIX}/status/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e",
            description="Where it is told in this dialect how it goes.",
            documentation_only=True,
        )
    ],
    responses=problems(*FAILURES),
)
async def diarize(
    request: Request[Caller, Any, Any], caller: NamedDependency[Caller], calls: NamedDependency[Calls]
) -> Response[DiarizationQueued]:
    """Send the recording as `audio_file`, and ask under this dialect's prefix how it goes."""
    task, _ = await calls.take(request, caller, job_options, lambda options: options, part=AudioFileOperation.recording)
    headers = {"Location": f"{PREFIX}/status/{task.id}"}
    return Response(DiarizationQueued(job_id=task.id), status_code=200, headers=headers)


@get(
    "/status/{job_id:uuid}",
    summary="diarizer: how it goes, and the result",
    tags=[TAG],
    response_description="Status, and the result once there is one.",
    responses=problems("not_found"),
)
async def get_diarization(
    job_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    tasks: NamedDependency[QueryTasks],
    result: NamedDependency[GetResult],
) -> DiarizationStatus:
    """Ask again until `status` is `completed`, `failed` or `cancelled`."""
    task = (await tasks.one(caller.owner, TaskId(job_id))).task
    made = None
    if task.status is TaskStatus.DONE:
        made = await asyncio.to_thread(dialects.report, await result(caller.owner, task.id))
    return DiarizationStatus(
        job_id=task.id,
        status=_STATUS.get(task.status, task.status.value),
        progress=round(task.progress, 3),
        result=None if made is None else dict(made),
        error=task.error.detail if task.error else None,
    )
