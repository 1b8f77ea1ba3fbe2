"""Revisions and edits in their tables."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from msgspec import json
from sqlalchemy import CursorResult, Executable, func, select

from adapters.persistence.tables import tasks
from adapters.persistence.tables_revisions import edits, revisions
from application.ports.revisions import EditRepository, Revision, RevisionRepository
from domain.edits import Change, Edit
from domain.options import TranscriptionOptions
from domain.stage import Stage
from domain.task import TaskId, TaskKind

Run = Callable[[Executable], Awaitable[CursorResult[Any]]]


class SqlRevisions(RevisionRepository):
    """Revisions, options and stages as JSON."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, revision: Revision) -> None:
        """Store a revision."""
        values = {
            "task_id": revision.task_id,
            "number": revision.number,
            "made_by": revision.made_by,
            "created_at": revision.created_at,
            "options": json.encode(revision.options).decode(),
            "stages": json.encode(revision.stages).decode(),
        }
        await self._run(revisions.insert().values(values))

    async def all(self, task_id: TaskId) -> Sequence[Revision]:
        """Return the task's revisions."""
        rows = await self._run(select(revisions).where(revisions.c.task_id == task_id).order_by(revisions.c.number))
        return [
            Revision(
                task_id=row.task_id,
                number=row.number,
                made_by=row.made_by,
                created_at=row.created_at,
                options=json.decode(row.options, type=TranscriptionOptions),
                stages=json.decode(row.stages, type=tuple[Stage, ...]),
            )
            for row in rows
        ]

    async def highest(self, task_id: TaskId) -> int:
        """Ask the task itself and those that revise it."""
        revising = (tasks.c.parent == task_id) & (tasks.c.kind == TaskKind.REVISE.value)
        of_children = select(func.max(tasks.c.revision)).where(revising)
        own = select(tasks.c.revision).where(tasks.c.id == task_id)
        return max((await self._run(of_children)).scalar() or 0, (await self._run(own)).scalar() or 0)


class SqlEdits(EditRepository):
    """Edits, their content as JSON."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, task_id: TaskId, edit: Edit) -> None:
        """Store an edit."""
        values = {
            "task_id": task_id,
            "seq": edit.seq,
            "kind": edit.change.kind.value,
            "payload": json.encode(edit.change).decode(),
            "revision": edit.revision,
            "created_at": edit.created_at,
            "undone_at": edit.undone_at,
        }
        await self._run(edits.insert().values(values))

    async def all(self, task_id: TaskId) -> Sequence[Edit]:
        """Return the task's edits."""
        rows = await self._run(select(edits).where(edits.c.task_id == task_id).order_by(edits.c.seq))
        return [
            Edit(
                seq=row.seq,
                revision=row.revision,
                change=json.decode(row.payload, type=Change),
                created_at=row.created_at,
                undone_at=row.undone_at,
            )
            for row in rows
        ]

    async def undo(self, task_id: TaskId, seq: int, at: datetime) -> None:
        """Mark an edit as undone."""
        live = (edits.c.task_id == task_id) & (edits.c.seq == seq) & edits.c.undone_at.is_(None)
        await self._run(edits.update().where(live).values(undone_at=at))
