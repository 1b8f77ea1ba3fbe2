"""Changing who is said to have spoken: each change is recorded beside the transcript, which itself never changes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from application.audit import record
from application.get_result import GetResult
from application.ports.persistence import NewUnitOfWork, StaleTask, UnitOfWork
from application.query_tasks import owned
from domain.audit import Action, Thing
from domain.edits import OWN_LABEL, Change, Edit, Edited, EditKind, speakers
from domain.errors import EditConflict, InvalidOptions, SpeakerNotFound, TaskNotFound, TaskNotReady, WrongState
from domain.span import Span
from domain.task import OwnerId, Task, TaskId, TaskKind, TaskStatus
from domain.transcript import Transcript

_TRIES = 8
"""More writers than that on one transcript at once are no people."""


def version_of(edits: Sequence[Edit]) -> int:
    """Return what grows with every change and every undoing of one."""
    return len(edits) + sum(edit.undone_at is not None for edit in edits)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditView:
    """The speakers as the latest revision has them, the edits that made them so, and the version to hold on to."""

    edited: Edited
    edits: Sequence[Edit]

    @property
    def version(self) -> int:
        """The version."""
        return version_of(self.edits)


class EditSpeakers:
    """Records changes and takes them back, on the latest revision.

    A caller may name the version that its view had: then a change that somebody else made in between is not passed
    over, but told.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, result: GetResult) -> None:
        self._new_uow = new_uow
        self._result = result

    async def view(self, owner: OwnerId, task_id: TaskId) -> EditView:
        """Return where things stand.

        Raises:
            TaskNotFound: there is no such task.
            TaskNotReady: it has no transcript (yet).
            WrongState: it revised another task, whose speakers they are.
        """
        async with self._new_uow() as uow:
            edits = await self._edits(uow, await owned(uow, owner, task_id))
        return EditView(edited=await self._result.edited(owner, task_id), edits=edits)

    async def add(self, owner: OwnerId, task_id: TaskId, change: Change, *, version: int | None = None) -> EditView:
        """Record a change and return where things stand then.

        Raises:
            TaskNotFound, TaskNotReady, WrongState: as `view`.
            SpeakerNotFound: the change names a speaker whom the transcript does not have.
            InvalidOptions: the change is of no use: a speaker merged with itself, a label that nobody may give.
            EditConflict: the version is another by now.
        """
        for _ in range(_TRIES):
            seen = await self.view(owner, task_id)
            if version is not None and version != seen.version:
                raise EditConflict("the speakers were changed by somebody else meanwhile: look again")
            await asyncio.to_thread(_check, change, seen.edited.transcript)
            made_on = seen.edited.transcript.revision

            async def write(uow: UnitOfWork, edits: Sequence[Edit], made_on: int = made_on) -> None:
                seq = max((edit.seq for edit in edits), default=0) + 1
                at = await uow.tasks.now()
                await uow.edits.add(task_id, Edit(seq=seq, revision=made_on, change=change, created_at=at))
                await record(uow, Action.EDITED, Thing.TRANSCRIPT, task_id, owner=owner, detail=change.kind.value)

            # What was checked is what it is recorded on: whoever came first makes this one look again.
            with suppress(EditConflict):
                await self._write(owner, task_id, write, held=seen.version)
                return await self.view(owner, task_id)
        raise EditConflict("the speakers are being changed by others: try again")

    async def undo(self, owner: OwnerId, task_id: TaskId, seq: int, *, version: int | None = None) -> EditView:
        """Take a change back, whichever it is; one that is taken back already stays so.

        Raises:
            TaskNotFound, TaskNotReady, WrongState, EditConflict: as `add`; there is no such change either.
        """

        async def write(uow: UnitOfWork, edits: Sequence[Edit]) -> None:
            if all(edit.seq != seq for edit in edits):
                raise TaskNotFound(f"there is no edit {seq} of this task")
            await uow.edits.undo(task_id, seq, await uow.tasks.now())
            await record(uow, Action.EDITED, Thing.TRANSCRIPT, task_id, owner=owner, detail="undo")

        await self._write(owner, task_id, write, held=version)
        return await self.view(owner, task_id)

    async def _write(
        self,
        owner: OwnerId,
        task_id: TaskId,
        write: Callable[[UnitOfWork, Sequence[Edit]], Awaitable[None]],
        *,
        held: int | None,
    ) -> None:
        while True:
            async with self._new_uow() as uow:
                task = await owned(uow, owner, task_id)
                try:
                    await uow.tasks.save(task)  # one writer at a time from here on
                except StaleTask:
                    continue
                edits = await self._edits(uow, task)
                if held is not None and held != version_of(edits):
                    raise EditConflict("the speakers were changed by somebody else meanwhile: look again")
                await write(uow, edits)
                await uow.commit()
                return

    @staticmethod
    async def _edits(uow: UnitOfWork, task: Task) -> Sequence[Edit]:
        if task.kind is TaskKind.REVISE:
            raise WrongState("this task made a revision of another: the speakers are that one's")
        if task.status is not TaskStatus.DONE:
            raise TaskNotReady(f"the task is {task.status}")
        return await uow.edits.all(task.id)


def _check(change: Change, transcript: Transcript) -> None:
    known = set(speakers(transcript))
    own = change.into is not None and OWN_LABEL.fullmatch(change.into) is not None
    for label, may_be_new in ((change.speaker, False), (change.into, change.kind is EditKind.REASSIGN and own)):
        if label is not None and label not in known and not may_be_new:
            raise SpeakerNotFound(f"there is no speaker {label!r}; there is: {', '.join(sorted(known))}")
    if change.kind is EditKind.MERGE and change.speaker == change.into:
        raise InvalidOptions("a speaker cannot be merged with itself")
    if change.kind is EditKind.REASSIGN and not _touches(change, transcript):
        raise InvalidOptions("no word starts within that time")


def _touches(change: Change, transcript: Transcript) -> bool:
    span = change.span or Span(0, 0)
    return any(
        span.contains(spoken.span.start)
        for segment in transcript.segments
        if change.channel in {None, segment.channel}
        for spoken in (segment.words or (segment,))
    )
