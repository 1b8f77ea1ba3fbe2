"""The way of one recording: decoded once, listened to once, recognised and diarized side by side, then put together."""

import asyncio
import shutil
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from application.assemble import assemble
from application.attribute_tracks import Heard, attribute_tracks
from application.diarize import Diarize
from application.hold import Hold
from application.ports.blobs import BlobStore
from application.ports.media import MediaDecoder
from application.ports.system import Clock
from application.recognise import Recognise
from application.second_look import SecondLook
from domain.errors import Interrupted
from domain.media import ChannelMode, ChannelRelation, DecodedMedia, DecodeLimits
from domain.options import TranscriptionOptions
from domain.span import merged
from domain.stage import Stage, StageName, StageStatus
from domain.task import Phase
from domain.transcript import Transcript

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")

_PARTIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """What one recording may cost to decode: ms of audio, bytes of memory, seconds of wall time."""

    max_duration: int
    max_memory: int
    max_seconds: float


class TranscribeMedia:
    """Makes a transcript of a held task's recording; leaves nothing behind in the working folder."""

    def __init__(
        self,
        *,
        blobs: BlobStore,
        decoder: MediaDecoder,
        recognise: Recognise,
        diarize: Diarize,
        second_look: SecondLook,
        work_dir: Path,
        limits: MediaLimits,
        clock: Clock,
    ) -> None:
        self._blobs = blobs
        self._decoder = decoder
        self._recognise = recognise
        self._diarize = diarize
        self._second_look = second_look
        self._work_dir = work_dir
        self._limits = limits
        self._clock = clock

    async def __call__(self, hold: Hold) -> Transcript:
        """Return the transcript.

        Raises:
            MediaRejected, EngineFailed, EngineUnavailable, ModelNotFound, StorageFull: as the ports say.
            Interrupted, LeaseLost: the work was stopped.
        """
        work = self._work_dir / str(hold.id)
        await asyncio.to_thread(_fresh_folder, work)
        try:
            return await self._transcribe(hold, work)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _transcribe(self, hold: Hold, work: Path) -> Transcript:
        options = hold.task.options
        media, decoding = await self._decode(hold, work)
        await hold.change(lambda task, _: task.measured(token=hold.token, duration=media.facts.decoded))
        split = _split(options, media)
        tracks = media.channels if split else (media.mix,)
        speech, detecting = await self._recognise.speech(hold, tracks)
        recognising = self._recognise(hold, tracks, speech)
        if options.diarization:
            diarizing = self._diarize(
                hold, media, merged(span for regions in speech for span in regions), speech if split else ()
            )
            (recognitions, recognition), (diarization, diarized) = await _side_by_side(hold, recognising, diarizing)
            stages = [decoding, detecting, recognition, diarized]
        else:
            recognitions, recognition = await recognising
            diarization, stages = None, [decoding, detecting, recognition]
        hold.progress.begin(Phase.FINISHING)
        heard = Heard(
            recognitions=recognitions, diarization=diarization, split=split, stages=tuple(stages), speech=speech
        )
        attributed = await asyncio.to_thread(attribute_tracks, heard, asked=options.diarization)
        attributed = await self._second_look(hold, media, heard, attributed)
        return await asyncio.to_thread(assemble, hold.task, media.facts, heard, attributed, self._elapsed_ms(hold))

    async def _decode(self, hold: Hold, work: Path) -> tuple[DecodedMedia, Stage]:
        started = self._clock.monotonic()
        hold.progress.begin(Phase.DECODING)
        limits = DecodeLimits(
            max_duration=self._limits.max_duration,
            max_memory=self._limits.max_memory,
            max_seconds=self._limits.max_seconds,
            split_channels=hold.task.options.channels is not ChannelMode.MIX,
        )
        source = await self._blobs.fetch(hold.task.media.key, work / "media")
        media = await asyncio.to_thread(self._decoder.decode, source, work, limits, hold.sink(Phase.DECODING))
        return media, Stage(
            name=StageName.DECODE,
            status=StageStatus.RAN,
            engine=f"{media.facts.container}/{media.facts.codec}",
            seconds=round(self._clock.monotonic() - started, 3),
        )

    def _elapsed_ms(self, hold: Hold) -> int:
        return int((self._clock.monotonic() - hold.started) * 1000)


def _split(options: TranscriptionOptions, media: DecodedMedia) -> bool:
    """Whether each channel is a party of its own: asked for, or found so; identical channels never are."""
    relation = media.facts.relation
    if len(media.channels) != _PARTIES or relation is ChannelRelation.IDENTICAL:
        return False
    if options.channels is ChannelMode.SPLIT:
        return True
    least, most = options.hints.bounds(default_most=_PARTIES)
    return relation is ChannelRelation.DISTINCT and least <= _PARTIES <= most


def _fresh_folder(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, mode=0o700)


async def _side_by_side(hold: Hold, first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Await both; when one fails the other is stopped, and the failure that came first is raised."""

    async def guarded(work: Awaitable[T]) -> T:
        try:
            return await work
        except BaseException:
            hold.stop("failed")
            raise

    ended = await asyncio.gather(guarded(first), guarded(second), return_exceptions=True)
    failures = [outcome for outcome in ended if isinstance(outcome, BaseException)]
    for failure in sorted(failures, key=lambda error: isinstance(error, Interrupted)):
        raise failure
    return cast("tuple[A, B]", tuple(ended))
