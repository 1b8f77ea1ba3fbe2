"""Cancelling and deleting an owner's tasks."""

from uuid import UUID

from litestar import Response, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from application.cancel_task import CancelTask
from application.delete_task import DeleteTask
from application.query_tasks import TaskView
from domain.access import Caller
from domain.task import TaskId
from entrypoints.http.openapi import problems
from entrypoints.http.schemas import TaskState
from entrypoints.http.status import state_response


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
    """A queued task is cancelled at once; a running one within a moment. Repeating it does no harm.

    What was recognised so far is removed. The recording stays, so that the task can be tried again from its beginning.
    """
    return state_response(TaskView(await cancel(caller.owner, TaskId(task_id)), queue_position=None))


@delete(
    "/tasks/{task_id:uuid}",
    summary="Delete a task",
    response_description="It is gone; `Location` is the receipt's.",
    tags=["Tasks"],
    responses=problems("not_found"),
)
async def delete_task(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], delete: NamedDependency[DeleteTask]
) -> Response[None]:
    """Remove a task with its recording and its transcripts, also while it runs; the receipt says when all is gone.

    Tasks that retry it keep the recording; what was revising it is cancelled.
    """
    await delete(caller.owner, TaskId(task_id))
    return Response(None, headers={"Location": f"/api/v1/deletions/{task_id}"})
