"""Giving an owner's recording back, whole or a piece of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from application.audit import note
from application.ports.blobs import BlobNotFound, BlobStore
from application.ports.direct_access import DirectAccess
from application.ports.persistence import NewUnitOfWork
from application.query_clips import owned_clip
from application.query_tasks import owned
from domain.audit import Action, Thing
from domain.clip import ClipId
from domain.errors import MediaRejected
from domain.task import OwnerId, TaskId

URL_VALID = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMedia:
    """A recording that is kept: where, under what name, how large, and a mark of its content."""

    key: str
    filename: str
    size: int
    etag: str


class GetMedia:
    """Reads recordings as long as they are kept."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore, direct: DirectAccess) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._direct = direct

    async def find(self, owner: OwnerId, task_id: TaskId) -> KeptMedia:
        """Return what is kept.

        Raises:
            TaskNotFound: there is no such task.
            MediaRejected: `media_purged`, the recording is no longer kept.
        """
        async with self._new_uow() as uow:
            task = await owned(uow, owner, task_id)
        found = await self._blobs.stat(task.media.key) if task.media_purged_at is None else None
        if found is None:
            raise MediaRejected("the recording is no longer kept", code="media_purged")
        note(Action.READ, Thing.RECORDING, task_id)
        return KeptMedia(
            key=task.media.key, filename=task.media.filename, size=found.size, etag=task.media.sha256 or found.etag
        )  # fmt: skip

    async def clip(self, owner: OwnerId, clip_id: ClipId) -> KeptMedia:
        """Return a clip's recording.

        Raises:
            ClipNotFound: there is no such clip.
            MediaRejected: `media_purged`, it has just been removed.
        """
        async with self._new_uow() as uow:
            clip = await owned_clip(uow, owner, clip_id)
        found = await self._blobs.stat(clip.key)
        if found is None:
            raise MediaRejected("the recording is no longer kept", code="media_purged")
        note(Action.READ, Thing.CLIP, clip_id)
        return KeptMedia(key=clip.key, filename=clip.filename, size=found.size, etag=clip.sha256 or found.etag)

    async def read(self, media: KeptMedia, start: int, end: int) -> AsyncIterator[bytes]:
        """Stream the bytes from `start` up to, not including, `end`.

        Raises:
            MediaRejected: it was deleted meanwhile.
        """
        try:
            async for chunk in self._blobs.open(media.key, start=start, end=end):
                yield chunk
        except BlobNotFound as error:
            raise MediaRejected("the recording is no longer kept", code="media_purged") from error

    def url(self, media: KeptMedia, *, media_type: str, disposition: str) -> str | None:
        """Return a URL by which it can be had from the store, None where there is none."""
        return self._direct.download_url(
            media.key, media_type=media_type, disposition=disposition, valid=URL_VALID
        )  # fmt: skip
