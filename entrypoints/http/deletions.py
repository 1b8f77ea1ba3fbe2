"""Receipts: what was deleted, when all of it was gone, and on whose wish."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter
from msgspec import Meta, Struct

from application.delete_task import QueryDeletions
from domain.access import Caller
from domain.deletion import DeletedKind, Deletion, DeletionReason
from domain.task import TaskId
from entrypoints.http.cursors import decode_cursor, encode_cursor
from entrypoints.http.openapi import problems


class RemovedBlobs(Struct, frozen=True, kw_only=True):
    """What was removed beside the task's rows."""

    recordings: Annotated[int, Meta(examples=[1])]
    transcripts: Annotated[int, Meta(description="Every revision counts.", examples=[2])]
    bytes: Annotated[int, Meta(description="Of the recording and the transcripts.", examples=[52_428_800])]
    recording_shared: Annotated[
        bool, Meta(description="The recording stays until the last task that shares it goes.", examples=[False])
    ]


class DeletionReceipt(Struct, frozen=True, kw_only=True):
    """A deleted task or clip; nothing of its content is kept."""

    task_id: Annotated[UUID, Meta(description="The task's id, or the clip's.")]
    kind: Annotated[DeletedKind, Meta(description="`task`, or `clip`.")]
    reason: Annotated[DeletionReason, Meta(description="`caller`, or `retention`: its time had come.")]
    requested_at: datetime
    completed_at: Annotated[
        datetime | None, Meta(description="Since when no copy is left here, seconds after the request; null before.")
    ]
    removed: Annotated[RemovedBlobs | None, Meta(description="Null until it has been looked at.")]


class DeletionPage(Struct, frozen=True, kw_only=True):
    """One page of receipts, those of the newest tasks first."""

    deletions: list[DeletionReceipt]
    next_cursor: Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null at the end.")]


@get(
    "/deletions/{task_id:uuid}",
    summary="The receipt of a deletion",
    response_description="What was removed, and since when it is gone.",
    tags=["Tasks"],
    responses=problems("not_found"),
)
async def get_deletion(
    task_id: FromPath[UUID], caller: NamedDependency[Caller], deletions: NamedDependency[QueryDeletions]
) -> DeletionReceipt:
    """Say what became of a task or a clip of yours that was deleted."""
    return _receipt(await deletions.one(caller.owner, TaskId(task_id)))


@get(
    "/deletions",
    summary="Your deletions",
    response_description="One page.",
    tags=["Tasks"],
    responses=problems("invalid_options"),
)
async def list_deletions(
    caller: NamedDependency[Caller],
    deletions: NamedDependency[QueryDeletions],
    limit: Annotated[int, Parameter(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[str, Parameter(max_length=64, description="`next_cursor` of the page before.")] = "",
) -> DeletionPage:
    """Walk the receipts page by page."""
    before = TaskId(decode_cursor(cursor)) if cursor else None
    found = await deletions.page(caller.owner, before=before, limit=limit + 1)
    page = [_receipt(deletion) for deletion in found[:limit]]
    return DeletionPage(deletions=page, next_cursor=encode_cursor(page[-1].task_id) if len(found) > limit else None)


def _receipt(deletion: Deletion) -> DeletionReceipt:
    removed = deletion.removed
    return DeletionReceipt(
        task_id=deletion.task_id,
        kind=deletion.kind,
        reason=deletion.reason,
        requested_at=deletion.requested_at,
        completed_at=deletion.completed_at,
        removed=None
        if removed is None
        else RemovedBlobs(
            recordings=removed.recordings,
            transcripts=removed.transcripts,
            bytes=removed.bytes,
            recording_shared=removed.shared,
        ),
    )
