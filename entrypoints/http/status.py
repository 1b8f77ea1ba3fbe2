"""Following one task."""

from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from application.query_tasks import QueryTasks, TaskView
from domain.access import Caller
from domain.span import to_seconds
from domain.task import Task, TaskId
from entrypoints.http.openapi import problems
from entrypoints.http.problem_types import job_problem
from entrypoints.http.schemas import TaskState

_SLOWEST_POLL = 5
"""Seconds; nobody should wait longer than that to see that a task has ended."""


def task_facts(task: Task) -> dict[str, Any]:
    """Give the fields that a task shows wherever it is shown."""
    return {
        "task_id": task.id,
        "status": task.status,
        # Rounded down, so that 100 is said of a finished task alone.
        "progress": int(task.progress * 100),
        "eta_seconds": None if task.eta_ms is None else -(-task.eta_ms // 1000),
        "phase": task.phase,
        "phase_progress": round(task.phase_fraction, 3),
        "created_at": task.created_at,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "attempt": task.attempt,
        "duration_seconds": None if task.duration is None else to_seconds(task.duration),
        "filename": task.media.filename,
        "error": job_problem(task.error) if task.error else None,
    }


def state_response(view: TaskView) -> Response[TaskState]:
    """Show a task, with a hint when to ask again: soon when it is nearly done, rarely when it is not."""
    state = TaskState(queue_position=view.queue_position, **task_facts(view.task))
    wait = min(_SLOWEST_POLL, max(1, (state.eta_seconds or _SLOWEST_POLL) // 10))
    return Response(state, headers={} if view.task.status.final else {"Retry-After": str(wait)})


@get(
    "/status/{task_id:uuid}",
    summary="How a task goes",
    response_description="Where it stands.",
    tags=["Transcription"],
    responses=problems("not_found"),
)
async def get_status(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], tasks: NamedDependency[QueryTasks]
) -> Response[TaskState]:
    """Ask again after `Retry-After` seconds, until `status` is `done`, `error` or `cancelled`."""
    return state_response(await tasks.one(caller.owner, TaskId(task_id)))


@get(
    "/tasks/{task_id:uuid}",
    summary="One task",
    response_description="Where it stands.",
    tags=["Tasks"],
    responses=problems("not_found"),
)
async def get_task(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], tasks: NamedDependency[QueryTasks]
) -> Response[TaskState]:
    """Answer as `/status` does."""
    return state_response(await tasks.one(caller.owner, TaskId(task_id)))
