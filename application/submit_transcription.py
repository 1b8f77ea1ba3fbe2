"""Accepting a recording: refused at once if it cannot be done, and never lost once accepted."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from application.ports.asr import EngineCapabilities, TranscriptionEngine
from application.ports.blobs import BlobStore
from application.ports.diarization import DiarizationEngine
from application.ports.persistence import NewUnitOfWork
from application.ports.queue import Job, TaskQueue
from application.ports.system import IdFactory
from domain.errors import EngineUnavailable, InvalidOptions, ModelNotFound
from domain.options import Goal, TranscriptionOptions
from domain.task import MediaSource, OwnerId, Task, TaskId, media_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Who asks for what; `filename` is only ever shown, never used as a path."""

    owner: OwnerId
    options: TranscriptionOptions
    filename: str


class SubmitTranscription:
    """Stores the recording, then the task; the task exists once its row is committed, and only then is the bell rung.

    `absent_models` maps names that another engine would know to the reason why they cannot be used here.
    """

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        blobs: BlobStore,
        queue: TaskQueue,
        ids: IdFactory,
        asr: TranscriptionEngine,
        diarizer: DiarizationEngine,
        absent_models: Mapping[str, str],
    ) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._queue = queue
        self._ids = ids
        self._asr = asr
        self._diarizer = diarizer
        self._absent_models = absent_models

    def check(self, options: TranscriptionOptions) -> None:
        """Refuse what the configured engines cannot do, before a byte of the recording is taken.

        Raises:
            InvalidOptions: a language, goal, prompt, hotwords or speaker count beyond the engine.
            ModelNotFound: nobody knows the model.
            EngineUnavailable: the model is known, but its weights are not here.
        """
        able = self._asr.capabilities()
        self._check_presence(options, able)
        for language in (options.language, *options.languages):
            if able.languages is not None and language.partition("-")[0] not in {"auto", *able.languages}:
                raise InvalidOptions(f"{able.engine} cannot transcribe '{language}'", code="unsupported_language")
        if len(options.languages) > 1 and not able.detects_language:
            raise InvalidOptions(f"{able.engine} cannot tell languages apart: name one")
        model = options.model or able.models[0]
        if options.goal is Goal.TRANSLATE and (not able.translation or model in able.transcribe_only):
            raise InvalidOptions(f"{able.engine} cannot translate with model '{model}'")
        if options.initial_prompt and not able.initial_prompt:
            raise InvalidOptions(f"{able.engine} takes no initial_prompt")
        if options.hotwords and not able.hotwords:
            raise InvalidOptions(f"{able.engine} takes no hotwords")
        wanted = max(options.num_speakers or 0, options.min_speakers or 0)
        most = self._diarizer.capabilities().max_speakers
        if wanted > most:
            raise InvalidOptions(f"at most {most} speakers can be told apart")

    def _check_presence(self, options: TranscriptionOptions, able: EngineCapabilities) -> None:
        """Refuse what would be accepted now, wait, and then fail for want of weights."""
        if options.model and options.model not in able.models:
            if reason := self._absent_models.get(options.model):
                raise EngineUnavailable(f"model '{options.model}' is not available: {reason}")
            raise ModelNotFound(f"there is no model '{options.model}'; there is: {', '.join(able.models)}")
        if able.absent and options.model in {"", able.models[0]}:
            raise EngineUnavailable(f"model '{able.models[0]}' is not available: {able.absent}")
        if options.diarization and (absent := self._diarizer.capabilities().absent):
            raise EngineUnavailable(f"speakers cannot be told apart: {absent}; diarization=false does without")

    async def __call__(self, submission: Submission, media: AsyncIterable[bytes] | Path) -> Task:
        """Store `media` and create the task; a path is a finished file on our own disk, which is moved.

        Raises:
            InvalidOptions, ModelNotFound, EngineUnavailable: as `check`.
            StorageFull: there is no room for the recording; nothing is kept.
        """
        self.check(submission.options)
        task_id = TaskId(self._ids.new())
        key = media_key(task_id)
        blob = await (self._blobs.adopt(key, media) if isinstance(media, Path) else self._blobs.put(key, media))
        source = MediaSource(key=key, filename=submission.filename, size=blob.size, sha256=blob.sha256)
        async with self._new_uow() as uow:
            task = Task.submit(
                id=task_id,
                owner=submission.owner,
                options=submission.options,
                media=source,
                now=await uow.tasks.now(),
            )
            await uow.tasks.add(task)
            await uow.commit()
        await self._queue.enqueue(Job.PROCESS_TASK, task_id)
        return task
