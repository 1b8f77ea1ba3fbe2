"""What a batch looks like over the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from application.query_batches import BatchView
from domain.task import TaskStatus
from entrypoints.http.problem_types import KINDS
from entrypoints.http.schemas import TaskSummary
from entrypoints.http.status import task_facts

_ID = "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"
BatchStatus = Literal["queued", "processing", "done", "partial", "error", "cancelled"]


class Refusal(Struct, frozen=True, kw_only=True):
    """A recording that was not accepted."""

    index: Annotated[int, Meta(description="Its place in the call, from 0: files, then what was named.", examples=[2])]
    filename: Annotated[str, Meta(examples=["empty.wav"])]
    code: Annotated[str, Meta(description="As in a problem.", examples=["empty_file"])]
    status: Annotated[int, Meta(description="The HTTP status that belongs to it.", examples=[422])]
    detail: Annotated[str, Meta(examples=["the recording has no bytes"])]


class BatchSummary(Struct, frozen=True, kw_only=True):
    """A batch and how it goes as a whole."""

    batch_id: Annotated[UUID, Meta(examples=[_ID])]
    status: Annotated[
        BatchStatus, Meta(description="`partial`: all have ended, and some of them well.", examples=["processing"])
    ]
    title: Annotated[str, Meta(examples=["Interviews"])]
    created_at: datetime
    size: Annotated[int, Meta(description="Recordings of the call.", examples=[12])]
    progress: Annotated[int, Meta(ge=0, le=100, description="Percent of all tasks together.", examples=[42])]
    counts: Annotated[
        Mapping[str, int],
        Meta(description="Tasks by their status, and `refused`.", examples=[{"done": 3, "queued": 9}]),
    ]


class BatchState(BatchSummary, frozen=True, kw_only=True):
    """A batch with its tasks."""

    items: Annotated[list[TaskSummary], Meta(description="In the order in which they were handed in.")]
    refused: list[Refusal]


class BatchPage(Struct, frozen=True, kw_only=True):
    """One page of an owner's batches, newest first."""

    batches: list[BatchSummary]
    next_cursor: Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null at the end.")]


def batch_summary(view: BatchView) -> BatchSummary:
    """Show a batch without its tasks."""
    return BatchSummary(**_facts(view))


def batch_state(view: BatchView) -> BatchState:
    """Show a batch with its tasks."""
    refused = [
        Refusal(
            index=item.index,
            filename=item.filename,
            code=item.code,
            status=KINDS[item.code].status if item.code in KINDS else 500,
            detail=item.detail,
        )
        for item in view.batch.refused
    ]
    return BatchState(**_facts(view), items=[TaskSummary(**task_facts(task)) for task in view.tasks], refused=refused)


def _facts(view: BatchView) -> dict[str, Any]:
    counts = view.tally.counts
    tasks = sum(counts.values())
    return {
        "batch_id": view.batch.id,
        "status": batch_status(counts),
        "title": view.batch.title,
        "created_at": view.batch.created_at,
        "size": view.batch.size,
        # Rounded down, so that 100 is said of a finished batch alone.
        "progress": int(view.tally.progress * 100 / tasks) if tasks else 0,
        "counts": {status.value: counts.get(status, 0) for status in TaskStatus} | {"refused": len(view.batch.refused)},
    }


def batch_status(counts: Mapping[TaskStatus, int]) -> BatchStatus:
    """Return the one status of tasks that stand where `counts` says."""
    present = {status for status, count in counts.items() if count}
    if len(present) == 1:
        return next(iter(present)).value
    if any(not status.final for status in present):
        return "processing"
    return "partial" if TaskStatus.DONE in present else "error"
