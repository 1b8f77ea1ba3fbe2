"""Following one task over HTTP: server-sent events that can be resumed, and lines of JSON with what was recognised."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, HeaderParameter, Parameter
from litestar.response import Stream

from application.follow_segments import FollowSegments
from application.hold import event_of
from application.place import Place
from application.query_tasks import QueryTasks
from domain.access import Caller
from domain.task import OwnerId, Task, TaskId, TaskStatus
from domain.transcript import Segment
from entrypoints.http.event_stream import STREAM_HEADERS, named_event, retry, with_pings
from entrypoints.http.leaving import Leaving
from entrypoints.http.live import PASSING, RESTARTING, failure_fields, kind_of, segment_fields, state_fields
from entrypoints.http.openapi import problems
from entrypoints.http.problem_types import job_problem

RETRY_MS = 2_000
"""How long a client waits before it comes back; whoever restarts the service has it up again by then, or soon."""
_SSE_HEADERS = {**STREAM_HEADERS, "Cache-Control": "no-store"}
_encoder = msgspec.json.Encoder()


class Streams:
    """Writes what is told of a task, until it ends or the listener must leave."""

    def __init__(self, *, segments: FollowSegments) -> None:
        self._segments = segments

    def events(
        self, owner: OwnerId, task_id: TaskId, after: Place, *, segments: bool, leaving: Leaving
    ) -> AsyncIterator[bytes]:
        """Write server-sent events of what comes after a place; one that breaks off can be resumed."""
        told = self._events(owner, task_id, after, segments=segments)
        return with_pings(told, leaving=leaving, farewell=retry(RETRY_MS))

    def lines(self, task: Task, leaving: Leaving) -> AsyncIterator[bytes]:
        """Write lines of JSON, from where the task stands to its end."""
        farewell = _line("error", {"task_id": task.id, "error": job_problem(RESTARTING)})
        return with_pings(self._lines(task), ping=_line("heartbeat", {}), leaving=leaving, farewell=farewell)

    async def _events(self, owner: OwnerId, task_id: TaskId, after: Place, *, segments: bool) -> AsyncIterator[bytes]:
        yield retry(RETRY_MS)
        before = None
        try:
            async for item, place in self._segments.told(owner, task_id, after, segments=segments):
                if isinstance(item, Segment):
                    yield named_event("segment", {"task_id": task_id, **segment_fields(item)}, place)
                    continue
                yield named_event(kind_of(item, before), state_fields(item), place)
                before = item.status
        except Exception as error:  # noqa: BLE001 - the status is sent, so that any failure must be told here
            failure = failure_fields(error, task_id)
            if failure["error"].status != PASSING:  # who comes back after one that passes is told the rest
                yield named_event("error", failure)

    async def _lines(self, task: Task) -> AsyncIterator[bytes]:
        yield _line("started", state_fields(event_of(task)))
        index = 0
        try:
            async for item, place in self._segments.told(task.owner, task.id, Place(version=task.version)):
                if isinstance(item, Segment):
                    yield _line("segment", {"index": index, **segment_fields(item)})
                    index += 1
                elif not place.final:
                    yield _line("progress", state_fields(item))
                else:
                    name = "completed" if item.status is TaskStatus.DONE else "error"
                    yield _line(name, {**state_fields(item), "segments": index})
        except Exception as error:  # noqa: BLE001 - as above
            yield _line("error", failure_fields(error, task.id))


def _line(kind: str, fields: dict[str, Any]) -> bytes:
    return _encoder.encode({"type": kind, **fields}) + b"\n"


@get(
    "/tasks/{task_id:uuid}/events",
    media_type="text/event-stream",
    summary="Follow a task by server-sent events",
    response_description="`status`, `progress`, `segment` where asked for, and last `done` or `error`.",
    tags=["Tasks"],
    responses={
        204: ResponseSpec(None, generate_examples=False, description="The end is known already: do not come back."),
        **problems("not_found"),
    },
)
async def follow_events(
    task_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    tasks: NamedDependency[QueryTasks],
    streams: NamedDependency[Streams],
    leaving: NamedDependency[Leaving],
    *,
    segments: Annotated[bool, Parameter(description="Also what was recognised, as windows are finished.")] = False,
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", description="The `id` of the last event that you have.")
    ] = None,
) -> Response[Any]:
    """Be told how a task goes until it ends; each event's `data` is a JSON object.

    Give the last event's `id` as `Last-Event-ID` to go on from there, on any server of the installation and after any
    restart, as browsers' `EventSource` does by itself. A comment comes every 10 seconds where there is nothing to tell.
    `stalled` says that nothing has moved for longer than it should take. Nobody's progress falls.
    """
    await tasks.one(caller.owner, TaskId(task_id))
    after = Place.parse(last_event_id or "")
    if after.final:
        return Response(None, status_code=204)
    return Stream(
        streams.events(caller.owner, TaskId(task_id), after, segments=segments, leaving=leaving),
        media_type="text/event-stream",
        headers=_SSE_HEADERS,
    )


@get(
    "/tasks/{task_id:uuid}/stream",
    media_type="application/x-ndjson",
    summary="Follow a task by lines of JSON",
    response_description="One JSON object a line.",
    tags=["Tasks"],
    responses=problems("not_found"),
)
async def follow_lines(
    task_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    tasks: NamedDependency[QueryTasks],
    streams: NamedDependency[Streams],
    leaving: NamedDependency[Leaving],
) -> Response[Any]:
    """Get the text as it is recognised, in the order of time and before speakers are known.

    The `type` of the first line is `started`, then come `segment`, `progress` and, where nothing else comes for
    10 seconds, `heartbeat`; the last line is the only one of `completed` or `error`. An error of the code `restarting`
    is the service's, not the task's, which goes on.
    """
    task = (await tasks.one(caller.owner, TaskId(task_id))).task
    return Stream(streams.lines(task, leaving), media_type="application/x-ndjson", headers=STREAM_HEADERS)
