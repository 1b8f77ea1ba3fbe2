"""Bringing a recording from the blob store to samples on disk, in a folder that is gone afterwards; nobody listens."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from application.fetch_media import fetch_media
from application.fetch_voices import FetchVoices
from application.hold import Hold
from application.ports.blobs import BlobNotFound, BlobStore
from application.ports.media import MediaDecoder
from application.ports.system import Clock
from application.ports.tracing import Tracer
from application.untraced import UNTRACED
from domain.errors import MediaRejected
from domain.media import ChannelMode, ChannelRelation, DecodedMedia, DecodeLimits
from domain.options import TranscriptionOptions
from domain.pace import Work
from domain.stage import Stage, StageName, StageStatus
from domain.task import Phase

_PARTIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """What one recording may cost to decode: ms of audio, bytes of memory, seconds of wall time."""

    max_duration: int
    max_memory: int
    max_seconds: float


class DecodeMedia:
    """Decodes a held task's recording."""

    def __init__(
        self,
        *,
        blobs: BlobStore,
        decoder: MediaDecoder,
        voices: FetchVoices,
        work_dir: Path,
        limits: MediaLimits,
        clock: Clock,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._blobs = blobs
        self._voices = voices
        self._decoder = decoder
        self._work_dir = work_dir
        self._limits = limits
        self._clock = clock
        self._tracer = tracer

    @asynccontextmanager
    async def __call__(self, hold: Hold) -> AsyncIterator[tuple[DecodedMedia, Stage]]:
        """Give the decoded recording and the stage for as long as the context lasts, and note its length.

        Raises:
            MediaRejected: it cannot be decoded, was changed after it was accepted, or is gone: `media_purged`.
            StorageFull: there is no room for it.
            Interrupted, LeaseLost: the work was stopped.
        """
        # Another worker, on the same machine perhaps, may take the task over before this one has noticed.
        work = self._work_dir / f"{hold.id}.{hold.token}"
        await asyncio.to_thread(_fresh_folder, work)
        try:
            media, stage = await self._decode(hold, work)
            duration = media.facts.decoded
            await hold.measured(duration, beside=lambda uow, task, _: uow.usage.measure(task.id, audio_ms=duration))
            await hold.learn(stage)
            yield media, stage
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _decode(self, hold: Hold, work: Path) -> tuple[DecodedMedia, Stage]:
        started = self._clock.monotonic()
        hold.progress.expect(Phase.DECODING, Work(stage=StageName.DECODE))
        hold.progress.begin(Phase.DECODING)
        limits = DecodeLimits(
            max_duration=self._limits.max_duration,
            max_memory=self._limits.max_memory,
            max_seconds=self._limits.max_seconds,
            split_channels=hold.task.options.channels is not ChannelMode.MIX,
            only_first=hold.task.options.only_first,
        )
        try:
            with self._tracer.span("read blob"):
                source = await fetch_media(self._blobs, hold.task.media, work / "media")
        except BlobNotFound as error:
            raise MediaRejected("the recording has been removed", code="media_purged") from error
        media = await asyncio.to_thread(self._decoder.decode, source, work, limits, hold.sink(Phase.DECODING))
        if hold.task.options.known_speakers:
            mixed = replace(limits, split_channels=False)
            voices = await self._voices(hold.task, work, mixed, hold.sink(Phase.DECODING))
            media = replace(media, voices=voices)
        return media, Stage(
            name=StageName.DECODE,
            status=StageStatus.RAN,
            engine=f"{media.facts.container}/{media.facts.codec}",
            seconds=round(self._clock.monotonic() - started, 3),
        )


def has_parties(options: TranscriptionOptions, media: DecodedMedia) -> bool:
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
