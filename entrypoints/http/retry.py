"""Trying again what ended badly."""

from dataclasses import dataclass
from uuid import UUID

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Operation, RequestBody, Schema
from litestar.params import FromPath, JSONBody

from application.retry_task import RetryTask
from domain.access import Caller
from domain.task import TaskId
from entrypoints.http.acceptance import LOCATION, accepted
from entrypoints.http.openapi import problems
from entrypoints.http.schemas import Accepted
from entrypoints.http.schemas_speakers import RetryRequest


@dataclass
class RetryOperation(Operation):
    """A retry, whose body may be left out."""

    def __post_init__(self) -> None:
        """Say so."""
        for body in (self.request_body,) if isinstance(self.request_body, RequestBody) else ():
            body.required = False
            for content in body.content.values():
                if isinstance(content.schema, Schema) and content.schema.one_of:
                    content.schema = content.schema.one_of[0]


@post(
    "/tasks/{task_id:uuid}/retry",
    operation_class=RetryOperation,
    status_code=202,
    summary="Try again",
    response_description="Accepted, as a new task.",
    response_headers=[LOCATION],
    tags=["Tasks"],
    responses=problems(
        "not_found", "wrong_state", "recording_purged", "quarantined", "invalid_options", "unsupported_language",
        "model_not_found", "queue_full", "too_many_queued", "model_unavailable",
    ),
)  # fmt: skip
async def retry_task(
    task_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    retry: NamedDependency[RetryTask],
    data: JSONBody[RetryRequest | None] = None,
) -> Response[Accepted]:
    """Submit the recording of a task that failed or was cancelled again, with the options that were stored.

    What has ended never changes: the answer names a new task, whose `parent` is this one. A task that was set apart,
    because working on it killed its workers, goes again with `{"force": true}` only.
    """
    return accepted(await retry(caller.owner, TaskId(task_id), force=data is not None and data.force))
