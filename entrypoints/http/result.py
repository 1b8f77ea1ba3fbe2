"""Fetching a transcript in any format."""

import asyncio
from typing import Annotated
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from application.get_result import GetResult
from application.query_tasks import QueryTasks
from application.rendering.registry import FORMATS
from domain.access import Caller
from domain.task import TaskId, TaskStatus
from entrypoints.http.errors import InvalidFields, ResultNotReady
from entrypoints.http.filenames import content_disposition
from entrypoints.http.openapi import problems
from entrypoints.http.operations import ResultOperation


@get(
    "/result/{task_id:uuid}",
    operation_class=ResultOperation,
    summary="The transcript",
    tags=["Transcription"],
    responses=problems("not_found", "not_ready", "invalid_options"),
)
async def get_result(
    task_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    tasks: NamedDependency[QueryTasks],
    result: NamedDependency[GetResult],
    format: Annotated[str | None, Parameter(description="Default: the one asked for at submission.")] = None,
) -> Response[bytes]:
    """Render the transcript; every format is a view of the same words, so ask for as many as you like.

    The JSON says what to trust. Each segment has its `quality`, where the engine tells: the average log probability of
    its words, the probability that nobody spoke, how far its text can be compressed (loops can, speech cannot), and how
    often it was decoded. `suspect_spans` are stretches whose text is doubtful or was dropped, with the reason:
    `repetition`, `low_probability`, `prompt_echo`, `too_fast`, `boilerplate` or `dropped` (the engine heard silence);
    `text` is what it made of them. `uncovered_speech` is where somebody was heard to speak for a second or more, and
    no word stands.
    """
    task = (await tasks.one(caller.owner, TaskId(task_id))).task
    name = format or task.options.format
    if name not in FORMATS:
        raise InvalidFields({"format": f"format: there is: {', '.join(FORMATS)}"})
    if task.status is not TaskStatus.DONE:
        raise ResultNotReady(f"the task is {task.status}", task.error)
    transcript = await result(caller.owner, TaskId(task_id))
    chosen = FORMATS[name]
    # Eight hours of speech take longer to write out than the event loop may stand still.
    body = await asyncio.to_thread(chosen.render, transcript)
    headers = (
        {} if name == "json" else {"Content-Disposition": content_disposition(task.media.filename, chosen.extension)}
    )
    return Response(body, media_type=chosen.media_type, headers=headers)
