"""Following one task."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath

from application.query_tasks import QueryTasks, TaskView
from domain.access import Caller
from domain.attempts import Attempt
from domain.span import to_seconds
from domain.task import Task, TaskId
from entrypoints.http.conditional import ETAG, NOT_MODIFIED, IfNoneMatch, tagged
from entrypoints.http.openapi import problems
from entrypoints.http.prefer import PREFERENCE_APPLIED, AwaitEnd, Prefer, preference
from entrypoints.http.problem_types import job_problem
from entrypoints.http.schemas import TaskAttempt, TaskState

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
        "stalled": task.stalled,
        "phase": task.phase,
        "phase_progress": round(task.phase_fraction, 3),
        "created_at": task.created_at,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "attempt": task.attempt,
        "duration_seconds": None if task.duration is None else to_seconds(task.duration),
        "filename": task.media.filename,
        "source_url": task.media.source_url or None,
        "kind": task.kind,
        "parent": task.parent,
        "revision": task.revision,
        "media_purged_at": task.media_purged_at,
        "error": job_problem(task.error) if task.error else None,
        "title": task.title,
        "tags": task.tags,
        "batch": task.batch,
    }


def poll_hint(task: Task) -> dict[str, str]:
    """Say when to ask again: soon when it is nearly done, rarely when it is not, and never once it has ended."""
    if task.status.final:
        return {}
    eta = _SLOWEST_POLL if task.eta_ms is None else task.eta_ms // 1000
    return {"Retry-After": str(min(_SLOWEST_POLL, max(1, eta // 10)))}


def state_response(
    view: TaskView,
    if_none_match: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    status_code: int = 200,
) -> Response[TaskState]:
    """Show a task, with a hint when to ask again, unless it is as the caller has it."""
    state = TaskState(
        queue_position=view.queue_position,
        quarantined=view.task.quarantined,
        attempts=[_shown(attempt) for attempt in view.task.attempts],
        **task_facts(view.task),
    )
    return tagged(state, if_none_match, headers={**poll_hint(view.task), **(headers or {})}, status_code=status_code)


def _shown(attempt: Attempt) -> TaskAttempt:
    return TaskAttempt(
        number=attempt.number,
        worker=attempt.worker,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        outcome=attempt.outcome,
        code=attempt.code or None,
        stage=attempt.stage or None,
    )


_ANSWERS: Mapping[int, ResponseSpec] = {**NOT_MODIFIED, **problems("not_found")}


@get(
    "/status/{task_id:uuid}",
    summary="How a task goes",
    response_description="Where it stands.",
    response_headers=[ETAG, PREFERENCE_APPLIED],
    tags=["Transcription"],
    responses=_ANSWERS,
)
async def get_status(
    request: Request[Caller, Any, Any],
    task_id: FromPath[UUID],
    *,
    tasks: NamedDependency[QueryTasks],
    wait: NamedDependency[AwaitEnd],
    if_none_match: IfNoneMatch = None,
    prefer: Prefer = None,
) -> Response[TaskState]:
    """Ask again after `Retry-After` seconds, until `status` is `done`, `error` or `cancelled`.

    With `Prefer: wait=30` the answer comes when it has ended, or after 30 seconds.
    """
    return await _state(request, tasks, wait, TaskId(task_id), if_none_match=if_none_match, prefer=prefer)


@get(
    "/tasks/{task_id:uuid}",
    summary="One task",
    response_description="Where it stands.",
    response_headers=[ETAG, PREFERENCE_APPLIED],
    tags=["Tasks"],
    responses=_ANSWERS,
)
async def get_task(
    request: Request[Caller, Any, Any],
    task_id: FromPath[UUID],
    *,
    tasks: NamedDependency[QueryTasks],
    wait: NamedDependency[AwaitEnd],
    if_none_match: IfNoneMatch = None,
    prefer: Prefer = None,
) -> Response[TaskState]:
    """Answer as `/status` does."""
    return await _state(request, tasks, wait, TaskId(task_id), if_none_match=if_none_match, prefer=prefer)


async def _state(
    request: Request[Caller, Any, Any],
    tasks: QueryTasks,
    wait: AwaitEnd,
    task_id: TaskId,
    *,
    if_none_match: str | None,
    prefer: str | None,
) -> Response[TaskState]:
    owner, wish = request.user.owner, preference(prefer, most=wait.most)
    view = await tasks.one(owner, task_id)
    if wish.wait and not view.task.status.final:
        await wait(request, owner, task_id, wish.wait)
        view = await tasks.one(owner, task_id)
    return state_response(view, if_none_match, headers=wish.headers)
