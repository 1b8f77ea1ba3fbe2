"""Revisions, edits and texts as JSON in memory, beside the tasks that they go with."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from msgspec import json

from adapters.persistence.memory_pages import passes
from application.ports.revisions import EditRepository, Revision, RevisionRepository
from application.ports.search import Hit, TranscriptTexts
from application.ports.task_filter import EVERYTHING, TaskFilter
from domain.edits import Edit
from domain.search import TextPart
from domain.task import OwnerId, Task, TaskId, TaskKind

Tasks = Callable[[], list[Task]]


Numbered = dict[tuple[UUID, int], bytes]
"""Rows by task and number; encoded, so that nobody holds a live part of them."""


class MemoryRevisions(RevisionRepository):
    """Revisions by task and number."""

    def __init__(self, rows: Numbered, tasks: Tasks) -> None:
        self._rows = rows
        self._tasks = tasks

    async def add(self, revision: Revision) -> None:
        """Store a revision."""
        self._rows[revision.task_id, revision.number] = json.encode(revision)

    async def all(self, task_id: TaskId) -> Sequence[Revision]:
        """Return the task's revisions."""
        return [json.decode(row, type=Revision) for key, row in sorted(self._rows.items()) if key[0] == task_id]

    async def highest(self, task_id: TaskId) -> int:
        """Look at the task itself and at those that revise it."""
        concerned = (
            task
            for task in self._tasks()
            if task.id == task_id or (task.parent == task_id and task.kind is TaskKind.REVISE)
        )
        return max((task.revision for task in concerned), default=0)


class MemoryEdits(EditRepository):
    """Edits by task and number."""

    def __init__(self, rows: Numbered) -> None:
        self._rows = rows

    async def add(self, task_id: TaskId, edit: Edit) -> None:
        """Store an edit."""
        self._rows[task_id, edit.seq] = json.encode(edit)

    async def all(self, task_id: TaskId) -> Sequence[Edit]:
        """Return the task's edits."""
        return [json.decode(row, type=Edit) for key, row in sorted(self._rows.items()) if key[0] == task_id]

    async def undo(self, task_id: TaskId, seq: int, at: datetime) -> None:
        """Mark an edit as undone."""
        for edit in await self.all(task_id):
            if edit.seq == seq and edit.undone_at is None:
                self._rows[task_id, seq] = json.encode(replace(edit, undone_at=at))


class MemoryTranscriptTexts(TranscriptTexts):
    """Parts by task, read through for each search."""

    def __init__(self, rows: dict[UUID, bytes], tasks: Tasks) -> None:
        self._rows = rows
        self._tasks = tasks

    async def put(self, task_id: TaskId, parts: Sequence[TextPart]) -> None:
        """Replace the parts of a task."""
        self._rows[task_id] = json.encode(parts)

    async def find(
        self,
        owner: OwnerId,
        terms: Sequence[str],
        *,
        before: TaskId | None,
        limit: int,
        only: TaskFilter = EVERYTHING,
    ) -> Sequence[Hit]:
        """Look through the owner's texts."""
        hits = []
        for task in sorted(self._tasks(), key=lambda task: task.id, reverse=True):
            asked = task.owner == owner and (before is None or task.id < before) and passes(task, only)
            if not asked or task.id not in self._rows:
                continue
            parts = json.decode(self._rows[task.id], type=list[TextPart])
            having = [[part for part in parts if any(word.startswith(term) for word in part.terms)] for term in terms]
            if all(having):
                hits.append(Hit(task=task, text=having[0][0].text))
        return hits[:limit]
