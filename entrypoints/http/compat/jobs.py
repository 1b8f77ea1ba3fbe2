"""The dialect `jobs`: a recording becomes a job that is polled until it holds its result, or is answered at once."""

import asyncio
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath
from msgspec import Meta, Struct

from application.delete_task import DeleteTask
from application.get_result import GetResult
from application.query_tasks import QueryTasks
from application.rendering import dialects
from domain.access import Caller
from domain.task import Phase, Task, TaskId, TaskStatus
from entrypoints.http.calls import Calls
from entrypoints.http.compat.fields import job_options
from entrypoints.http.compat.operations import FAILURES, TAG, FormOperation
from entrypoints.http.openapi import problems
from entrypoints.http.rates import Zone

PREFIX = "/compat/jobs"
_STATUS = {TaskStatus.QUEUED: "queued", TaskStatus.DONE: "completed", TaskStatus.ERROR: "failed"}
_BUSY = {Phase.TRANSCRIBING: "transcribing", Phase.DIARIZING: "diarizing"}
_LOCATION = ResponseHeader(
    name="Location", value=f"{PREFIX}/jobs/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e", documentation_only=True
)


class JobCreated(Struct, frozen=True, kw_only=True):
    """A job was taken in."""

    job_id: UUID


class Job(Struct, frozen=True, kw_only=True):
    """A job and how it goes."""

    id: UUID
    status: Annotated[
        str,
        Meta(
            description="`queued`, `processing`, `transcribing`, `diarizing`, `completed`, `failed` or `cancelled`.",
            examples=["transcribing"],
        ),
    ]
    progress: Annotated[float, Meta(ge=0, le=100, description="Percent.", examples=[45.5])]
    stage_detail: Annotated[str, Meta(examples=["transcribing, 55% done"])]
    result: Annotated[dict[str, Any] | None, Meta(description="The whole transcript, once completed.", examples=[None])]
    error: Annotated[str | None, Meta(description="Why it failed.", examples=[None])]
    created_at: Annotated[str, Meta(description="UTC.", examples=["2025-12-26T10:00:00"])]
    updated_at: Annotated[str, Meta(description="UTC.", examples=["2025-12-26T10:01:30"])]


class JobDeleted(Struct, frozen=True, kw_only=True):
    """A job is gone with all that belonged to it."""

    job_id: UUID
    message: str = "Job deleted"


@post(
    "/transcribe",
    status_code=200,
    opt={"zone": Zone.UPLOADS},
    request_max_body_size=None,  # the receiver counts what arrives
    operation_class=FormOperation,
    summary="jobs: transcribe at once",
    tags=[TAG],
    response_description="The whole transcript.",
    response_headers=[_LOCATION],
    responses={
        202: ResponseSpec(JobCreated, generate_examples=False, description="It takes longer: the job."),
        **problems(*FAILURES),
    },
)
async def transcribe_at_once(
    request: Request[Caller, Any, Any], caller: NamedDependency[Caller], calls: NamedDependency[Calls]
) -> Response[Any]:
    """Send a short recording as `file`; what takes longer than a call may is answered 202 with its job."""
    task, _ = await calls.take(request, caller, job_options, lambda options: options, part=FormOperation.recording)
    if not await calls.ended(request, task):
        return _created(task, status_code=202)
    transcript = await calls.transcript(task)
    return Response(await asyncio.to_thread(dialects.whole, transcript), status_code=200)


@post(
    "/jobs",
    status_code=200,
    opt={"zone": Zone.UPLOADS},
    request_max_body_size=None,
    operation_class=FormOperation,
    summary="jobs: hand in a recording",
    tags=[TAG],
    response_description="The job.",
    response_headers=[_LOCATION],
    responses=problems(*FAILURES),
)
async def create_job(
    request: Request[Caller, Any, Any], caller: NamedDependency[Caller], calls: NamedDependency[Calls]
) -> Response[JobCreated]:
    """Send the recording as `file`, and poll the job."""
    task, _ = await calls.take(request, caller, job_options, lambda options: options, part=FormOperation.recording)
    return _created(task, status_code=200)


@get(
    "/jobs/{job_id:uuid}",
    summary="jobs: how a job goes",
    tags=[TAG],
    response_description="The job, with its result once there is one.",
    responses=problems("not_found"),
)
async def get_job(
    job_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    tasks: NamedDependency[QueryTasks],
    result: NamedDependency[GetResult],
) -> Job:
    """Ask again until `status` is `completed`, `failed` or `cancelled`."""
    task = (await tasks.one(caller.owner, TaskId(job_id))).task
    made = None
    if task.status is TaskStatus.DONE:
        made = await asyncio.to_thread(dialects.whole, await result(caller.owner, task.id))
    return Job(
        id=task.id,
        status=_status(task),
        progress=round(100 * task.progress, 1),
        stage_detail=_stage_detail(task),
        result=None if made is None else dict(made),
        error=task.error.detail if task.error else None,
        created_at=_stamp(task.created_at),
        updated_at=_stamp(task.updated_at),
    )


@delete(
    "/jobs/{job_id:uuid}",
    status_code=200,
    summary="jobs: delete a job",
    tags=[TAG],
    response_description="It is gone.",
    responses=problems("not_found"),
)
async def delete_job(
    job_id: FromPath[UUID], caller: NamedDependency[Caller], delete: NamedDependency[DeleteTask]
) -> JobDeleted:
    """Remove a job with its recording and its result, also while it runs."""
    await delete(caller.owner, TaskId(job_id))
    return JobDeleted(job_id=job_id)


def _created(task: Task, *, status_code: int) -> Response[JobCreated]:
    headers = {"Location": f"{PREFIX}/jobs/{task.id}"}
    return Response(JobCreated(job_id=task.id), status_code=status_code, headers=headers)


def _status(task: Task) -> str:
    if task.status is TaskStatus.PROCESSING:
        return _BUSY.get(task.phase, "processing")
    return _STATUS.get(task.status, task.status.value)


def _stage_detail(task: Task) -> str:
    if task.status is TaskStatus.PROCESSING:
        return f"{task.phase.replace('_', ' ')}, {task.phase_fraction:.0%} done"
    return "waiting for its turn" if task.status is TaskStatus.QUEUED else _status(task)


def _stamp(instant: datetime) -> str:
    """Write UTC without saying so, as those programs expect it."""
    return instant.replace(tzinfo=None, microsecond=0).isoformat()
