"""The dialect `platform`: users with tokens, diarization as one of its jobs, and its own body for whatever fails."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from application.get_result import GetResult
from application.log_in import LogIn
from application.query_tasks import QueryTasks
from application.register_user import RegisterUser
from application.rendering import dialects
from domain.access import Caller
from domain.task import Task, TaskId, TaskStatus
from entrypoints.http.auth import MOST_BYTES, create_session, register_user
from entrypoints.http.calls import Calls
from entrypoints.http.compat.fields import job_options
from entrypoints.http.compat.operations import FAILURES, TAG, FormOperation
from entrypoints.http.compat.platform_errors import failures
from entrypoints.http.operations_access import LogInOperation
from entrypoints.http.rates import Zone
from entrypoints.http.schemas_access import Registration, SessionToken, UserShown

PREFIX = "/compat/platform"
API = "/api/v1"
_STATUS = {TaskStatus.QUEUED: "pending", TaskStatus.DONE: "completed", TaskStatus.ERROR: "failed"}
_STATE = {
    TaskStatus.QUEUED: "PENDING", TaskStatus.PROCESSING: "STARTED", TaskStatus.DONE: "SUCCESS",
    TaskStatus.ERROR: "FAILURE", TaskStatus.CANCELLED: "REVOKED",
}  # fmt: skip


class SpeakerJob(Struct, frozen=True, kw_only=True):
    """A diarization that was taken in."""

    id: UUID
    task_id: Annotated[UUID, Meta(description="The same; for `/api/v1/tasks`.")]
    status: Annotated[
        str, Meta(description="`pending`, `processing`, `completed`, `failed` or `cancelled`.", examples=["pending"])
    ]
    num_speakers: Annotated[int | None, Meta(description="As asked for.", examples=[3])]
    created_at: datetime


class TaskProgress(Struct, frozen=True, kw_only=True):
    """How the work goes."""

    state: Annotated[str, Meta(description="`PENDING`, `STARTED`, `SUCCESS`, `FAILURE` or `REVOKED`.")]
    progress: Annotated[int, Meta(ge=0, le=100, description="Percent.", examples=[100])]
    error: Annotated[str | None, Meta(description="Why it failed.", examples=[None])]


class SpeakerJobResult(SpeakerJob, frozen=True, kw_only=True):
    """A diarization, and what came out."""

    job_id: Annotated[UUID, Meta(description="The same as `id`.")]
    completed_at: Annotated[datetime | None, Meta(examples=[None])]
    task_status: TaskProgress
    result: Annotated[
        dict[str, Any] | None,
        Meta(description="`num_speakers`, `turns` and `segments`, once completed.", examples=[None]),
    ]


@post(
    "/speaker/diarize",
    status_code=200,
    opt={"zone": Zone.UPLOADS},
    request_max_body_size=None,  # the receiver counts what arrives
    operation_class=FormOperation,
    summary="platform: hand in a recording",
    tags=[TAG],
    response_description="The job.",
    responses=failures(*FAILURES),
)
async def start_diarization(
    request: Request[Caller, Any, Any], caller: NamedDependency[Caller], calls: NamedDependency[Calls]
) -> SpeakerJob:
    """Send the recording as `file`, and `num_speakers` if you know it."""
    task, _ = await calls.take(request, caller, job_options, lambda options: options, part=FormOperation.recording)
    return SpeakerJob(**_facts(task))


@get(
    "/speaker/jobs/{job_id:uuid}",
    summary="platform: how it goes, and the result",
    tags=[TAG],
    response_description="The job, with its result once there is one.",
    responses=failures("not_found"),
)
async def get_speaker_job(
    job_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    tasks: NamedDependency[QueryTasks],
    result: NamedDependency[GetResult],
) -> SpeakerJobResult:
    """Ask again until `status` is `completed`, `failed` or `cancelled`."""
    task = (await tasks.one(caller.owner, TaskId(job_id))).task
    made = None
    if task.status is TaskStatus.DONE:
        made = await asyncio.to_thread(dialects.diarization, await result(caller.owner, task.id))
    return SpeakerJobResult(
        **_facts(task),
        job_id=task.id,
        completed_at=task.finished_at,
        task_status=TaskProgress(
            state=_STATE[task.status],
            # Rounded down, so that 100 is said of a finished job alone.
            progress=int(task.progress * 100),
            error=task.error.detail if task.error else None,
        ),
        result=None if made is None else dict(made),
    )


@post(
    "/auth/register",
    opt={"zone": Zone.AUTH},
    request_max_body_size=MOST_BYTES,
    summary="platform: register a user",
    tags=[TAG],
    response_description="The user.",
    responses=failures("email_taken", "invalid_options", "form_too_large", "rate_limited"),
)
async def register_platform_user(data: JSONBody[Registration], register: NamedDependency[RegisterUser]) -> UserShown:
    """Make a user, where the installation lets anybody register."""
    return cast("UserShown", await register_user.fn(data, register))


@post(
    "/auth/token",
    status_code=200,
    opt={"zone": Zone.AUTH},
    request_max_body_size=MOST_BYTES,
    operation_class=LogInOperation,
    summary="platform: log in",
    tags=[TAG],
    response_description="A token.",
    responses=failures("unsupported_media", "invalid_options", "form_too_large", "rate_limited", "not_configured"),
)
async def create_platform_session(request: Request[Any, Any, Any], log_in: NamedDependency[LogIn]) -> SessionToken:
    """Send `username` and `password` as a form; the token goes where a key goes."""
    return cast("SessionToken", await create_session.fn(request, log_in))


def status_name(status: TaskStatus) -> str:
    """Name where a task stands as that program does."""
    return _STATUS.get(status, status.value)


def _facts(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "task_id": task.id,
        "status": status_name(task.status),
        "num_speakers": task.options.num_speakers,
        "created_at": task.created_at,
    }
