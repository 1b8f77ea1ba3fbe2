"""Finding the speakers of a transcript anew: the words are kept as they are, and no recogniser is asked."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from application.assemble import assemble
from application.attribute_tracks import Heard, attribute_tracks
from application.decode_media import DecodeMedia, has_parties
from application.diarize import Diarize
from application.hold import Hold
from application.ports.blobs import BlobNotFound, BlobStore
from application.ports.persistence import NewUnitOfWork
from application.ports.system import Clock
from application.read_transcript import read_transcript
from application.recognise import Recognise
from application.second_look import SecondLook
from domain.errors import ColloquyError, DeviceUnavailable, EngineFailed, EngineUnavailable, MediaRejected, ParentGone
from domain.media import DecodedMedia
from domain.span import merged
from domain.speaker import Diarization
from domain.stage import Stage, StageName, StageStatus
from domain.task import Phase, Task, TaskStatus
from domain.transcript import Recognition, Segment, Transcript

_Failure = Callable[[str], ColloquyError]


class ReviseTranscript:
    """Makes the next revision of the transcript that a held task's parent has: other turns, the same words."""

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        blobs: BlobStore,
        decode: DecodeMedia,
        recognise: Recognise,
        diarize: Diarize,
        second_look: SecondLook,
        clock: Clock,
    ) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._decode = decode
        self._recognise = recognise
        self._diarize = diarize
        self._second_look = second_look
        self._clock = clock

    async def __call__(self, hold: Hold) -> Transcript:
        """Return the transcript, under the parent's id and the number that the revision was given.

        Raises:
            ParentGone: what it would revise was deleted.
            MediaRejected, EngineFailed, EngineUnavailable, StorageFull: as the ports say.
            Interrupted, LeaseLost: the work was stopped.
        """
        parent, before = await self._parent(hold.task)
        try:
            async with self._decode(hold) as (media, decoding):
                revised = await self._revise(hold, before, media, decoding)
        except MediaRejected:
            await self._parent(hold.task)  # a recording that went with its parent is no failure
            raise
        return replace(revised, task_id=str(parent.id), revision=hold.task.revision)

    async def _revise(self, hold: Hold, before: Transcript, media: DecodedMedia, decoding: Stage) -> Transcript:
        split = has_parties(hold.task.options, media)
        self._diarize.expect(hold, by_channel=split)
        if not split:
            self._second_look.expect(hold)
        speech, detecting = await self._recognise.speech(hold, media.channels if split else (media.mix,))
        found, diarized = await self._diarize(
            hold, media, merged(span for regions in speech for span in regions), speech if split else ()
        )
        if found is None:
            raise _failure(diarized.reason)
        hold.progress.begin(Phase.FINISHING)
        stages = (decoding, detecting, _reused(before), diarized)
        heard = await asyncio.to_thread(_heard, before, found, stages, split=split)
        attributed = await asyncio.to_thread(attribute_tracks, heard, asked=True)
        attributed = await self._second_look(hold, media, heard, attributed)
        elapsed = int((self._clock.monotonic() - hold.started) * 1000)
        made = await asyncio.to_thread(assemble, hold.task, media.facts, heard, attributed, elapsed)
        return replace(made, language=before.language, uncovered_speech=before.uncovered_speech)

    async def _parent(self, task: Task) -> tuple[Task, Transcript]:
        async with self._new_uow() as uow:
            parent = None if task.parent is None else await uow.tasks.get(task.parent)
        if parent is None or parent.status is not TaskStatus.DONE:
            raise ParentGone("the task that it revises is gone")
        try:
            return parent, await read_transcript(self._blobs, parent.id, parent.revision)
        except BlobNotFound as error:
            raise ParentGone("the transcript that it revises is gone") from error


def _heard(before: Transcript, found: Diarization, stages: tuple[Stage, ...], *, split: bool) -> Heard:
    """Put the kept words in the place of what a recogniser would have given, channel by channel if they have some."""
    tracks: dict[int, list[Segment]] = {}
    for segment in before.segments:
        tracks.setdefault(segment.channel or 0, []).append(segment)
    told = all(segment.channel is not None for segment in before.segments)
    kept = [
        (Recognition(segments=tuple(tracks[number]), language=before.language),) if number in tracks else ()
        for number in range(max(tracks, default=0) + 1)
    ]
    suspects = (Recognition(segments=(), language=before.language, suspects=before.suspects),)
    return Heard(recognitions=[*kept, suspects], diarization=found, split=split and told, stages=stages)


def _reused(before: Transcript) -> Stage:
    stages = (stage for stage in before.stages if stage.name is StageName.RECOGNITION)
    first = next(stages, Stage(name=StageName.RECOGNITION, status=StageStatus.REUSED, model=before.model))
    return replace(first, status=StageStatus.REUSED, seconds=0.0, reason=f"the words of revision {before.revision}")


def _failure(reason: str) -> ColloquyError:
    """Return the error that a diarization which gave up has named."""
    code, _, detail = reason.partition(": ")
    kinds: dict[str, _Failure] = {
        EngineUnavailable.code: EngineUnavailable, DeviceUnavailable.code: DeviceUnavailable,
    }  # fmt: skip
    return kinds[code](detail) if code in kinds else EngineFailed(detail or reason, code=code)
