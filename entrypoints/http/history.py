"""The history of an owner's tasks: found by what they are, what was said, and what they are called."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import Response, get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter
from msgspec import UNSET, Meta, Struct, UnsetType

from application.label_task import LabelTask
from application.ports.task_filter import TaskFilter
from application.query_tasks import QueryTasks, TaskView
from application.rendering.plain import one_line
from domain.access import Caller
from domain.labels import MAX_TAG, MAX_TAGS, MAX_TITLE
from domain.task import BatchId, TaskId, TaskStatus
from entrypoints.http.conditional import ETAG, NOT_MODIFIED, IfNoneMatch, tagged
from entrypoints.http.cursors import decode_cursor, encode_cursor
from entrypoints.http.errors import InvalidFields
from entrypoints.http.instants import AnyInstant, instant_or_none
from entrypoints.http.openapi import problems
from entrypoints.http.schemas import TaskPage, TaskState, TaskSummary
from entrypoints.http.status import state_response, task_facts

Tag = Annotated[str, Meta(min_length=1, max_length=MAX_TAG)]


class Labels(Struct, kw_only=True, forbid_unknown_fields=True):
    """What you call a task; what is left out stays."""

    title: Annotated[str, Meta(max_length=MAX_TITLE, examples=["Board meeting"])] | UnsetType = UNSET
    tags: Annotated[list[Tag], Meta(max_length=MAX_TAGS, examples=[["board", "2026"]])] | UnsetType = UNSET


@get(
    "/tasks",
    summary="Your tasks",
    response_description="One page.",
    response_headers=[ETAG],
    tags=["Tasks"],
    responses={**NOT_MODIFIED, **problems("invalid_options")},
)
async def list_tasks(
    caller: NamedDependency[Caller],
    tasks: NamedDependency[QueryTasks],
    *,
    limit: Annotated[int, Parameter(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[str, Parameter(max_length=64, description="`next_cursor` of the page before.")] = "",
    status: Annotated[
        list[TaskStatus] | None, Parameter(description="Where they stand; repeat it for several.")
    ] = None,
    tag: Annotated[list[Tag] | None, Parameter(max_items=MAX_TAGS, description="Repeat it: all must be there.")] = None,
    language: Annotated[
        str | None, Parameter(max_length=16, description="Recognised, or, until then, asked for; a code such as `en`.")
    ] = None,
    created_after: AnyInstant = None,
    created_before: AnyInstant = None,
    batch: Annotated[UUID | None, Parameter(description="Of one batch.")] = None,
    q: Annotated[
        str | None,
        Parameter(max_length=200, description="Only tasks whose transcript has words that begin with each of these."),
    ] = None,
    sort: Annotated[
        Literal["-created_at", "created_at"],
        Parameter(description="The newest first, or the oldest; with `q` it is the newest."),
    ] = "-created_at",
    if_none_match: IfNoneMatch = None,
) -> Response[TaskPage]:
    """Walk the history page by page, newest first; tasks that are added meanwhile do not shift the pages.

    What is asked for must all be so. With `q`, upper case and lower case count the same, and `snippet` shows the words
    around the first place.
    """
    if q is not None and sort != "-created_at":
        raise InvalidFields({"sort": "sort: with q the newest come first"})
    only = TaskFilter(
        statuses=frozenset(status or ()),
        created_after=instant_or_none("created_after", created_after),
        created_before=instant_or_none("created_before", created_before),
        language=language,
        tags=tuple(dict.fromkeys(map(one_line, tag or ()))),
        batch=None if batch is None else BatchId(batch),
        oldest_first=sort == "created_at",
    )
    before = TaskId(decode_cursor(cursor)) if cursor else None
    if q is not None:
        hits = await tasks.search(caller.owner, q, before=before, limit=limit + 1, only=only)
        found = [TaskSummary(**task_facts(hit.task), snippet=hit.snippet) for hit in hits]
        return tagged(_page(found, limit), if_none_match)
    page = await tasks.page(caller.owner, before=before, limit=limit + 1, only=only)
    return tagged(_page([TaskSummary(**task_facts(task)) for task in page], limit), if_none_match)


def _page(found: list[TaskSummary], limit: int) -> TaskPage:
    page = found[:limit]
    return TaskPage(tasks=page, next_cursor=encode_cursor(page[-1].task_id) if len(found) > limit else None)


@patch(
    "/tasks/{task_id:uuid}",
    summary="Name and tag a task",
    response_description="Where it stands.",
    tags=["Tasks"],
    responses=problems("not_found", "invalid_options"),
)
async def label_task(
    task_id: FromPath[UUID],
    data: JSONBody[Labels],
    caller: NamedDependency[Caller],
    labelling: NamedDependency[LabelTask],
) -> Response[TaskState]:
    """Change its title, its tags, or both, whatever state it is in."""
    title = None if isinstance(data.title, UnsetType) else one_line(data.title)
    tags = None if isinstance(data.tags, UnsetType) else tuple(filter(None, map(one_line, data.tags)))
    task = await labelling(caller.owner, TaskId(task_id), title=title, tags=tags)
    return state_response(TaskView(task, queue_position=None))
