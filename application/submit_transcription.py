"""Accepting a recording: refused at once if it cannot be done, and never lost once accepted."""

from collections.abc import AsyncIterable, Mapping
from uuid import UUID

from application.add_task import AddTask
from application.admit_task import AdmitTask
from application.answer_once import AnswerOnce, fingerprint_of
from application.check_options import CheckOptions
from application.ports.asr import TranscriptionEngine
from application.ports.blobs import BlobStore
from application.ports.diarization import DiarizationEngine
from application.ports.persistence import NewUnitOfWork
from application.ports.queue import Job, TaskQueue
from application.ports.system import IdFactory
from application.ports.tracing import Tracer
from application.query_clips import QueryClips
from application.reuse_task import ReuseTask
from application.secret_urls import SecretUrls
from application.stage_upload import StageUpload
from application.store_recording import StoreRecording
from application.submission import Media, Receipt, Submission
from application.untraced import UNTRACED
from domain.clip import ClipMedia
from domain.egress import EgressPolicy
from domain.errors import ClipNotFound, QueueFull, TaskNotFound, UploadRefused
from domain.idempotency import Answered, RequestKey
from domain.task import MediaSource, OwnerId, Retention, Task, TaskId, media_key
from domain.upload import UploadId

_SCOPE = "transcribe"
_Keyed = tuple[RequestKey, str] | None
"""The caller's name for the request, and the fingerprint of its content."""


class SubmitTranscription:
    """Stores the recording, then the task; the task exists once its row is committed, and only then is the bell rung.

    `retention` is what a task is promised when it is handed in, whatever is configured later; `egress` says which URLs
    may be handed in.
    """

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        blobs: BlobStore,
        stage: StageUpload,
        queue: TaskQueue,
        ids: IdFactory,
        asr: TranscriptionEngine,
        diarizer: DiarizationEngine,
        absent_models: Mapping[str, str],
        admit: AdmitTask,
        urls: SecretUrls,
        retention: Retention | None = None,
        egress: EgressPolicy | None = None,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self.check = CheckOptions(asr=asr, diarizer=diarizer, absent_models=absent_models)
        self._new_uow = new_uow
        self._blobs = blobs
        self._stage = stage
        self._queue = queue
        self._ids = ids
        self._admit = admit
        self._tracer = tracer
        self._once = AnswerOnce(new_uow=new_uow)
        self._store = StoreRecording(
            blobs=blobs, stage=stage, clips=QueryClips(new_uow=new_uow), egress=egress or EgressPolicy(), urls=urls
        )
        self._new_task = AddTask(admit=admit, retention=retention)
        self._reuse = ReuseTask(new_uow=new_uow)

    async def expect(self, owner: OwnerId, key: str | None) -> None:
        """Refuse what there is no room for, before a byte of the recording is taken; a repetition needs none.

        Raises:
            QueueFull: too many tasks wait.
        """
        if key is None or not await self._once.knows(RequestKey(owner=owner, scope=_SCOPE, key=key)):
            await self._admit.look(owner)

    async def __call__(self, submission: Submission, media: Media) -> Task:
        """Do what `hand_in` does, for whom it does not matter whether the task is new."""
        return (await self.hand_in(submission, media)).task

    async def hand_in(self, submission: Submission, media: Media) -> Receipt:
        """Store `media` and create the task; a path is a finished file on our own disk, which is moved.

        A submission that is repeated under its key gets the task that the first one made.

        Raises:
            InvalidOptions, ModelNotFound, EngineUnavailable: as `check`.
            KeyReused: the key names another submission.
            QueueFull: too many tasks wait; nothing is kept.
            StorageFull: there is no room for the recording; nothing is kept.
            UploadRefused, MediaRejected: as `StageUpload.take`.
            ClipNotFound: there is no such clip.
            UrlNotAllowed: no request may go where the URL leads.
            NotConfigured: as `SecretUrls.seal`.
        """
        with self._tracer.span("submit") as span:
            receipt = await self._hand_in(submission, media)
            span.note(task_id=str(receipt.task.id), reused=receipt.reused)
            return receipt

    async def _hand_in(self, submission: Submission, media: Media) -> Receipt:
        self.check(submission.options)
        await self._store.look_for_voices(submission)
        keyed = await self._keyed(submission, media)
        if keyed and (earlier := await self._once.earlier(*keyed)):
            return Receipt(earlier)
        if not keyed and (same := await self._reuse.ahead(submission, media)):
            return Receipt(same, reused=True)
        task_id = TaskId(self._ids.new())
        try:
            source = await self._store(task_id, submission, media)
        except UploadRefused:  # the same request, sent twice at once, has taken the upload already
            if keyed and (earlier := await self._once.earlier(*keyed)):
                return Receipt(earlier)
            raise
        try:
            task = await self._add(task_id, submission, source, media, keyed)
        except (QueueFull, _TwinWasQuicker):
            await self._drop(source, task_id)
            if keyed and (earlier := await self._once.earlier(*keyed)):
                return Receipt(earlier)
            raise
        if task.id != task_id:
            await self._drop(source, task_id)
            return Receipt(task, reused=True)
        await self._queue.enqueue(Job.PROCESS_TASK, task.id)
        return Receipt(task)

    async def _drop(self, source: MediaSource, task_id: TaskId) -> None:
        if source.key == media_key(task_id):  # a clip's is not ours to remove
            await self._blobs.delete(source.key)

    async def _keyed(self, submission: Submission, media: Media) -> _Keyed:
        if submission.key is None or isinstance(media, AsyncIterable):
            return None
        key = RequestKey(owner=submission.owner, scope=_SCOPE, key=submission.key)
        return key, await fingerprint_of(submission, media)

    async def _add(
        self, task_id: TaskId, submission: Submission, source: MediaSource, media: Media, keyed: _Keyed
    ) -> Task:
        async with self._new_uow() as uow:
            now = await uow.tasks.now()
            same = await self._reuse.within(uow, submission, source.sha256)
            task = same or await self._new_task(uow, task_id, submission, source, now)
            if keyed:
                answered = Answered(fingerprint=keyed[1], task_id=task.id)
                if not await uow.idempotency.add(keyed[0], answered, now=now):
                    raise _TwinWasQuicker("the task that this request had made was deleted")
            taken = not isinstance(media, UUID) or await uow.uploads.remove(UploadId(media))
            if isinstance(media, ClipMedia) and not await uow.clips.use(media.id):
                raise ClipNotFound(f"there is no clip {media.id}")
            if taken:
                await uow.commit()
        if isinstance(media, UUID):
            await self._stage.settle(UploadId(media), source, taken=taken)
        return task


class _TwinWasQuicker(TaskNotFound):
    """The same request came twice at once, and the other one has made the task."""
