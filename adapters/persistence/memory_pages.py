"""Filters over tasks in memory."""

from application.ports.task_filter import TaskFilter
from domain.content import content_digest
from domain.task import Task, TaskKind, TaskStatus


def passes(task: Task, only: TaskFilter) -> bool:
    """Whether the task is what the filter asks for."""
    return (
        (not only.statuses or task.status in only.statuses)
        and (only.created_after is None or task.created_at > only.created_after)
        and (only.created_before is None or task.created_at < only.created_before)
        and (only.language is None or task.spoken == only.language)
        and (only.batch is None or task.batch == only.batch)
        and set(only.tags) <= set(task.tags)
    )


def reusable(task: Task, content: str) -> bool:
    """Whether the task is of that content, and done or under way."""
    lives = task.status is TaskStatus.DONE or (not task.status.final and not task.cancel_requested)
    same = bool(task.media.sha256) and content_digest(task.options, task.media.sha256) == content
    return lives and same and task.kind is TaskKind.TRANSCRIBE
