"""What goes over the wire, and how the domain's words map to it; seconds appear here and nowhere below."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from domain.attempts import Outcome
from domain.task import TaskKind, TaskStatus

_ID = "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"


class FieldProblem(Struct, frozen=True, kw_only=True):
    """What is wrong with one field or parameter."""

    detail: str
    pointer: Annotated[str, Meta(description="The field, as a JSON Pointer.", examples=["#/num_speakers"])]


class JobProblem(Struct, frozen=True, kw_only=True):
    """Why a task ended in error; the same object as an HTTP problem, without a request."""

    type: Annotated[str, Meta(description="Identifies the kind of problem; a path that explains it.")]
    title: Annotated[str, Meta(description="The kind of problem; always the same for a type.")]
    status: Annotated[int, Meta(description="The HTTP status that belongs to it.")]
    detail: Annotated[str, Meta(description="What happened this time.")]
    code: Annotated[str, Meta(description="Stable, for programs.")]


class Problem(JobProblem, frozen=True, kw_only=True, omit_defaults=True):
    """An error, as RFC 9457 shapes it."""

    instance: Annotated[str, Meta(description="The path that was asked.")] = ""
    request_id: Annotated[str, Meta(description="Also in the header `X-Request-ID`, and in the log.")] = ""
    errors: Annotated[list[FieldProblem], Meta(description="Each wrong field, where fields were wrong.")] = []
    error: Annotated[JobProblem | None, Meta(description="Why the task failed, where its result was asked for.")] = None


class Accepted(Struct, frozen=True, kw_only=True):
    """A recording was accepted and will not be lost."""

    task_id: Annotated[UUID, Meta(examples=[_ID])]
    status: Annotated[TaskStatus, Meta(examples=["queued"])]
    message: Annotated[str, Meta(examples=["Task successfully created"])]
    reused: Annotated[bool, Meta(description="An earlier task of yours, as `reuse` asked for.", examples=[False])] = (
        False
    )


class TaskSummary(Struct, frozen=True, kw_only=True):
    """A task as the history lists it."""

    task_id: Annotated[UUID, Meta(examples=[_ID])]
    status: Annotated[TaskStatus, Meta(examples=["processing"])]
    progress: Annotated[int, Meta(ge=0, le=100, description="Percent of the whole.", examples=[42])]
    eta_seconds: Annotated[int | None, Meta(description="Seconds to go, when that can be told.", examples=[75])]
    stalled: Annotated[bool, Meta(description="Nothing has moved for longer than it should take.", examples=[False])]
    phase: Annotated[str, Meta(description="What it is busy with.", examples=["transcribing"])]
    phase_progress: Annotated[float, Meta(ge=0, le=1, description="Done part of the phase.", examples=[0.55])]
    created_at: datetime
    started_at: datetime | None
    finished_at: Annotated[datetime | None, Meta(examples=[None])]
    attempt: Annotated[int, Meta(description="How often work on it was begun.", examples=[1])]
    duration_seconds: Annotated[float | None, Meta(description="Once decoded.", examples=[281.4])]
    filename: Annotated[str, Meta(description="As it was handed in; for showing.", examples=["meeting.mp3"])]
    media_purged_at: Annotated[
        datetime | None, Meta(description="Since when the recording is gone, by its age.", examples=[None])
    ]
    kind: Annotated[
        TaskKind, Meta(description="`revise` makes a revision of its parent's transcript.", examples=["transcribe"])
    ]
    parent: Annotated[UUID | None, Meta(description="The task that it retries or revises.", examples=[None])]
    revision: Annotated[
        int, Meta(description="Of its transcript, the latest; of `revise`, the number it makes.", examples=[1])
    ]
    error: Annotated[JobProblem | None, Meta(description="Why it ended in error.", examples=[None])]
    source_url: Annotated[
        str | None,
        Meta(
            description="Where it was fetched from; secrets in it are masked.",
            examples=["https://example.org/talk.mp3?sig=***"],
        ),
    ] = None
    title: Annotated[str, Meta(description="What you call it.", examples=["Board meeting"])] = ""
    tags: Annotated[tuple[str, ...], Meta(description="Words to find it by.", examples=[["board", "2026"]])] = ()
    batch: Annotated[UUID | None, Meta(description="The batch that it was handed in with.", examples=[None])] = None
    snippet: Annotated[str | None, Meta(description="What was said around the hit of a search.", examples=[None])] = (
        None
    )


class TaskAttempt(Struct, frozen=True, kw_only=True):
    """One time that work on a task was begun, and how that ended."""

    number: Annotated[int, Meta(description="An attempt that gave the task back is not counted.", examples=[1])]
    worker: Annotated[str, Meta(description="Who worked on it.", examples=["gpu-1:4711"])]
    started_at: datetime
    ended_at: Annotated[datetime | None, Meta(examples=[None])]
    outcome: Annotated[
        Outcome,
        Meta(description="`released` gave the task back unharmed; `crashed` fell silent.", examples=["running"]),
    ]
    code: Annotated[str | None, Meta(description="Why it failed, as in `error.code`.", examples=[None])]
    stage: Annotated[str | None, Meta(description="The part of the work that failed.", examples=[None])]


class TaskState(TaskSummary, frozen=True, kw_only=True):
    """A task and how it goes."""

    quarantined: Annotated[
        bool, Meta(description="Set apart, because it took down a process again and again.", examples=[False])
    ]
    attempts: Annotated[list[TaskAttempt], Meta(description="The latest attempts, the oldest first.")]
    queue_position: Annotated[
        int | None, Meta(description="How many wait before it; null once begun.", examples=[None])
    ]


class TaskPage(Struct, frozen=True, kw_only=True):
    """One page of an owner's history, newest first."""

    tasks: list[TaskSummary]
    next_cursor: Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null at the end.")]


class Health(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Annotated[str, Meta(examples=["healthy"])]
    version: Annotated[str, Meta(examples=["0.1.0"])]


class Healthy(Health, frozen=True, kw_only=True):
    """The process answers, and what it would compute on."""

    gpu_available: Annotated[
        bool, Meta(description="Whether an engine, as it is configured here, computes on a GPU.", examples=[True])
    ]


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether work can be taken, part by part."""

    status: Annotated[str, Meta(description="`ready` or `unready`.", examples=["ready"])]
    parts: Annotated[
        dict[str, str], Meta(description="`ok`, or what is wrong.", examples=[{"database": "ok", "storage": "ok"}])
    ]
    warnings: Annotated[
        dict[str, str],
        Meta(
            description="What keeps nobody from sending work and wants seeing to.",
            examples=[{"workers": "tasks wait, and nobody takes them"}],
        ),
    ]
