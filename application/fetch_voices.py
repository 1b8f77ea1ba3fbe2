"""Bringing samples of known speakers' voices to where they can be heard; one that cannot be had is told, not lost."""

import asyncio
from pathlib import Path

from application.fetch_media import fetch_media
from application.ports.blobs import BlobNotFound, BlobStore
from application.ports.media import MediaDecoder
from application.ports.persistence import NewUnitOfWork
from application.ports.system import ProgressSink
from application.query_clips import owned_clip
from domain.clip import Clip, ClipId
from domain.errors import ClipNotFound, MediaRejected
from domain.known_speakers import KnownSpeaker
from domain.media import DecodeLimits, VoiceSample
from domain.task import Task

SHORTEST, LONGEST = 1_000, 30_000
"""ms of a sample: less is no voice to a diarizer, more costs time and tells nothing new; OpenAI asks for 2 to 10 s."""


class FetchVoices:
    """Decodes the samples of a task's known speakers, which are clips of its owner's."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore, decoder: MediaDecoder) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._decoder = decoder

    async def __call__(
        self, task: Task, work: Path, limits: DecodeLimits, on_progress: ProgressSink
    ) -> tuple[VoiceSample, ...]:
        """Return a sample for each of the task's known speakers, in their order, decoded into `work`.

        Raises:
            EngineFailed, StorageFull, StorageUnavailable: as the decoder and the store say.
        """
        return tuple(
            [
                await self._voice(task, known, work / f"voice-{number}", limits, on_progress)
                for number, known in enumerate(task.options.known_speakers)
            ]
        )

    async def _voice(
        self, task: Task, known: KnownSpeaker, into: Path, limits: DecodeLimits, on_progress: ProgressSink
    ) -> VoiceSample:
        await asyncio.to_thread(into.mkdir)
        try:
            clip = await self._clip(task, known)
            source = await fetch_media(self._blobs, clip.source, into / "media")
            audio = (await asyncio.to_thread(self._decoder.decode, source, into, limits, on_progress)).mix
        except (ClipNotFound, BlobNotFound):
            return VoiceSample(name=known.name, audio=None, missing="has been removed")
        except MediaRejected as error:
            return VoiceSample(name=known.name, audio=None, missing=f"cannot be decoded: {error}")
        if not SHORTEST <= audio.duration <= LONGEST:
            wanted = f"{SHORTEST // 1000} to {LONGEST // 1000} seconds are needed"
            return VoiceSample(
                name=known.name, audio=None, missing=f"lasts {audio.duration / 1000:.1f} seconds: {wanted}"
            )
        return VoiceSample(name=known.name, audio=audio)

    async def _clip(self, task: Task, known: KnownSpeaker) -> Clip:
        async with self._new_uow() as uow:
            return await owned_clip(uow, task.owner, ClipId(known.sample))
