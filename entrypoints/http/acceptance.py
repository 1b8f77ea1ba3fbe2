"""The answer to what was accepted as a task of its own."""

from litestar import Response
from litestar.datastructures import ResponseHeader

from domain.task import Task
from entrypoints.http.schemas import Accepted

LOCATION = ResponseHeader(
    name="Location",
    value="/api/v1/status/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e",
    description="Where to ask how it goes.",
    documentation_only=True,
)


def accepted(task: Task) -> Response[Accepted]:
    """Name the task and where to follow it."""
    body = Accepted(task_id=task.id, status=task.status, message="Task successfully created")
    return Response(body, status_code=202, headers={"Location": f"/api/v1/status/{task.id}"})
