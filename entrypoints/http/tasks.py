"""Listing, cancelling and deleting an owner's tasks."""

import base64
import binascii
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from application.cancel_task import CancelTask
from application.delete_task import DeleteTask
from application.query_tasks import QueryTasks, TaskView
from domain.access import Caller
from domain.task import TaskId
from entrypoints.http.errors import InvalidFields
from entrypoints.http.openapi import problems
from entrypoints.http.schemas import TaskPage, TaskState, TaskSummary
from entrypoints.http.status import state_response, task_facts


@get(
    "/tasks",
    summary="Your tasks",
    response_description="One page.",
    tags=["Tasks"],
    responses=problems("invalid_options"),
)
async def list_tasks(
    caller: NamedDependency[Caller],
    tasks: NamedDependency[QueryTasks],
    limit: Annotated[int, Parameter(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[str, Parameter(max_length=64, description="`next_cursor` of the page before.")] = "",
) -> TaskPage:
    """Walk the history page by page; tasks that are added meanwhile do not shift the pages."""
    before = _decode_cursor(cursor) if cursor else None
    found = await tasks.page(caller.owner, before=before, limit=limit + 1)
    page = [TaskSummary(**task_facts(task)) for task in found[:limit]]
    return TaskPage(tasks=page, next_cursor=_encode_cursor(page[-1].task_id) if len(found) > limit else None)


@post(
    "/tasks/{task_id:uuid}/cancel",
    status_code=200,
    summary="Cancel a task",
    response_description="Where it stands now.",
    tags=["Tasks"],
    responses=problems("not_found", "wrong_state"),
)
async def cancel_task(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], cancel: NamedDependency[CancelTask]
) -> Response[TaskState]:
    """A queued task is cancelled at once; a running one within a moment. Repeating it does no harm."""
    return state_response(TaskView(await cancel(caller.owner, TaskId(task_id)), queue_position=None))


@delete(
    "/tasks/{task_id:uuid}",
    summary="Delete a task",
    response_description="It is gone.",
    tags=["Tasks"],
    responses=problems("not_found"),
)
async def delete_task(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], delete: NamedDependency[DeleteTask]
) -> None:
    """Remove a task with its recording and its transcript, also while it runs."""
    await delete(caller.owner, TaskId(task_id))


def _encode_cursor(task_id: UUID) -> str:
    return base64.urlsafe_b64encode(task_id.bytes).rstrip(b"=").decode()


def _decode_cursor(cursor: str) -> TaskId:
    try:
        return TaskId(UUID(bytes=base64.urlsafe_b64decode(cursor + "==")))
    except (ValueError, binascii.Error) as error:
        raise InvalidFields({"cursor": "cursor: take it from `next_cursor`"}) from error
