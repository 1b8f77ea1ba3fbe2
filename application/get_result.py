"""Reading a finished task's transcript, in any revision, with what people have changed in it by hand."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from application.audit import note
from application.ports.blobs import BlobNotFound, BlobStore
from application.ports.persistence import NewUnitOfWork
from application.query_tasks import owned
from application.read_transcript import read_transcript
from domain.audit import Action, Thing
from domain.edits import Edit, Edited, apply, mapping
from domain.errors import TaskNotFound, TaskNotReady
from domain.stage import Notice
from domain.task import OwnerId, Task, TaskId, TaskKind, TaskStatus
from domain.transcript import Transcript


class GetResult:
    """Gives a revision of a transcript; every format is rendered from it."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs

    async def __call__(
        self, owner: OwnerId, task_id: TaskId, *, revision: int | None = None, edited: bool = True
    ) -> Transcript:
        """Return the latest revision, or the one of that number, as people have edited it or as it was made.

        Of a task that made a revision it is that one. A warning tells of edits that have no place in it.

        Raises:
            TaskNotFound: there is no such task or revision, or it was deleted while it was read.
            TaskNotReady: it has not ended well (yet); the detail says where it stands.
        """
        if not edited:
            return (await self._read(owner, task_id, revision))[0]
        view = await self.edited(owner, task_id, revision=revision)
        return await asyncio.to_thread(_with_warning, view)

    async def edited(self, owner: OwnerId, task_id: TaskId, *, revision: int | None = None) -> Edited:
        """Return the same with speakers under their labels, their names beside, and what has no place; raises alike."""
        transcript, home, edits = await self._read(owner, task_id, revision)
        if not edits:
            return Edited(transcript=transcript, names=dict(transcript.names), not_applied={})
        others = {edit.revision for edit in edits if edit.undone_at is None} - {transcript.revision}
        carried: dict[int, Mapping[str, str]] = {}
        for number in sorted(others):
            try:
                other = await read_transcript(self._blobs, home, number)
            except BlobNotFound:
                continue
            carried[number] = await asyncio.to_thread(mapping, other, transcript)
        return await asyncio.to_thread(apply, transcript, edits, carried)

    async def _read(
        self, owner: OwnerId, task_id: TaskId, revision: int | None
    ) -> tuple[Transcript, TaskId, Sequence[Edit]]:
        async with self._new_uow() as uow:
            task = await owned(uow, owner, task_id)
            home = home_of(task)
            edits = await uow.edits.all(home)
        if task.status is not TaskStatus.DONE:
            why = f" ({task.error.code}: {task.error.detail})" if task.error else ""
            raise TaskNotReady(f"the task is {task.status}{why}")
        number = revision or task.revision
        missing = f"there is no task {task_id}" if revision is None else f"there is no revision {number} of this task"
        if number > task.revision:  # one that is being made may have its bytes already
            raise TaskNotFound(missing)
        try:
            transcript = await read_transcript(self._blobs, home, number)
        except BlobNotFound as error:
            raise TaskNotFound(missing) from error
        note(Action.READ, Thing.TRANSCRIPT, task_id)
        return transcript, home, edits


def home_of(task: Task) -> TaskId:
    """Tell whose transcript it is: a task that revised another has none of its own."""
    return task.parent if task.kind is TaskKind.REVISE and task.parent else task.id


def _with_warning(view: Edited) -> Transcript:
    shown = view.shown
    if not view.not_applied:
        return shown
    which = ", ".join(f"{seq} ({reason})" for seq, reason in sorted(view.not_applied.items()))
    notice = Notice("edits_not_applied", f"These edits have no place in this revision: {which}.")
    return replace(shown, warnings=(*shown.warnings, notice))
