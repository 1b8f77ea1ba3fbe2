"""Asking for another revision of a transcript: who spoke is found anew, what was said is kept."""

from dataclasses import dataclass, replace
from datetime import datetime

from application.admit_task import AdmitTask
from application.derive_task import derive_task, require_recording
from application.origin import current_origin
from application.ports.diarization import DiarizationEngine
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from application.ports.queue import Job, TaskQueue
from application.ports.system import IdFactory
from application.query_tasks import owned
from domain.audit import Action
from domain.errors import EngineUnavailable, InvalidOptions, WrongState
from domain.media import ChannelMode
from domain.options import TranscriptionOptions
from domain.task import OwnerId, Task, TaskId, TaskKind, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerRequest:
    """How many speakers to find, and whether by channel; `channels` left None means as the parent was asked."""

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    channels: ChannelMode | None = None

    def on(self, options: TranscriptionOptions) -> TranscriptionOptions:
        """Return the parent's options with this in place of what they said of speakers.

        Raises:
            InvalidOptions: it contradicts itself.
        """
        return replace(
            options,
            diarization=True,
            num_speakers=self.num_speakers,
            min_speakers=self.min_speakers,
            max_speakers=self.max_speakers,
            channels=self.channels or options.channels,
        )


class ReviseTask:
    """Queues a task that revises a finished one, under the number that the revision will have.

    Numbers grow and are never used twice; that of a task which failed is left out.
    """

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        admit: AdmitTask,
        queue: TaskQueue,
        ids: IdFactory,
        diarizer: DiarizationEngine,
    ) -> None:
        self._new_uow = new_uow
        self._admit = admit
        self._queue = queue
        self._ids = ids
        self._diarizer = diarizer

    async def __call__(self, owner: OwnerId, task_id: TaskId, request: SpeakerRequest) -> Task:
        """Return the new task; its `revision` is the number.

        Raises:
            TaskNotFound: there is no such task.
            QueueFull: too many tasks wait.
            WrongState: it has no transcript, or `recording_purged`.
            InvalidOptions: the counts contradict each other, or are beyond the diarizer.
            EngineUnavailable: there is no diarizer.
        """

        async def revise(uow: UnitOfWork, parent: Task, now: datetime) -> Task:
            return await self._revision(uow, parent, request.on(parent.options), now)

        task = await derive_task(self._new_uow, self._admit, owner, task_id, revise, action=Action.REVISED)
        await self._queue.enqueue(Job.PROCESS_TASK, task.id)
        return task

    async def again(self, uow: UnitOfWork, failed: Task, now: datetime) -> Task:
        """Return a task that tries a failed revision again, for adding in the same unit of work; raises as the call."""
        parent = await owned(uow, failed.owner, failed.parent or failed.id)
        task = await self._revision(uow, parent, failed.options, now)
        await uow.tasks.save(parent)
        return task

    async def _revision(self, uow: UnitOfWork, parent: Task, options: TranscriptionOptions, now: datetime) -> Task:
        if parent.kind is not TaskKind.TRANSCRIBE:
            raise WrongState("this task made a revision itself: revise the one that it belongs to")
        if parent.status is not TaskStatus.DONE:
            raise WrongState(f"a task that is {parent.status} has no transcript to revise")
        require_recording(parent)
        self._check(options)
        task = Task.submit(
            id=TaskId(self._ids.new()),
            owner=parent.owner,
            options=options,
            media=parent.media,
            now=now,
            kind=TaskKind.REVISE,
            parent=parent.id,
            priority=parent.priority,
            retention=parent.retention,
            origin=current_origin(),
        )
        return replace(task, revision=await uow.revisions.highest(parent.id) + 1)

    def _check(self, options: TranscriptionOptions) -> None:
        able = self._diarizer.capabilities()
        if able.absent:
            raise EngineUnavailable(f"speakers cannot be told apart: {able.absent}")
        if max(options.num_speakers or 0, options.min_speakers or 0) > able.max_speakers:
            raise InvalidOptions(f"at most {able.max_speakers} speakers can be told apart")
