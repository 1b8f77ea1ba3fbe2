"""A task while it runs, as every live channel shows it: its states and what was recognised; it sends nothing."""

from typing import Any

from application.ports.notify import TaskEvent
from domain.span import to_seconds
from domain.task import TaskError, TaskId, TaskStatus
from domain.transcript import Segment
from entrypoints.http.errors import explained
from entrypoints.http.problem_types import job_problem

_CANCELLED = TaskError("wrong_state", "the task was cancelled")
RESTARTING = TaskError("restarting", "the service restarts; the task goes on: ask again")
PASSING = 503
"""Problems of this status pass by themselves, and say nothing of the task."""


def kind_of(event: TaskEvent, before: TaskStatus | None) -> str:
    """Name the event: `done` and `error` are the last, `status` says that another state began."""
    if event.status is TaskStatus.DONE:
        return "done"
    if event.status.final:
        return "error"
    return "progress" if event.status is before else "status"


def state_fields(event: TaskEvent) -> dict[str, Any]:
    """Show a state."""
    done = event.status is TaskStatus.DONE
    fields = {
        "task_id": event.task_id,
        "status": event.status,
        # Rounded down, so that 100 is said of a finished task alone.
        "progress": 100 if done else min(99, int(event.progress * 100)),
        "phase": event.phase,
        "phase_progress": round(event.phase_fraction, 3),
        "eta_seconds": None if event.eta_ms is None else -(-event.eta_ms // 1000),
        "duration_seconds": None if event.duration is None else to_seconds(event.duration),
        "stalled": event.stalled,
    }
    if done:
        fields["result"] = f"/api/v1/result/{event.task_id}"
    elif event.status.final:
        fields["error"] = job_problem(event.error or _CANCELLED)
    return fields


def segment_fields(segment: Segment) -> dict[str, Any]:
    """Show what was recognised; who said it is not known until the end."""
    return {
        "start": to_seconds(segment.span.start),
        "end": to_seconds(segment.span.end),
        "text": segment.text,
        "speaker": segment.speaker,
        "channel": segment.channel,
    }


def failure_fields(error: Exception, task_id: TaskId | None = None) -> dict[str, Any]:
    """Show that nothing more is told, and why; without a task's `status`, since its own end is something else."""
    code, detail, _ = explained(error)
    return {"task_id": task_id, "error": job_problem(TaskError(code, detail))}
