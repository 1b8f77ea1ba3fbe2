"""Keeping a recording as a clip: stored first, and there for its owner once its row is committed."""

from datetime import timedelta
from pathlib import Path

from application.admit_task import AdmitTask
from application.audit import record
from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from application.ports.system import IdFactory
from application.stage_upload import StageUpload
from domain.audit import Action, Thing
from domain.clip import Clip, ClipId, clip_key
from domain.errors import QuotaExceeded, UploadRefused
from domain.task import OwnerId, TaskId
from domain.upload import UploadId


class StoreClip:
    """Makes clips of finished files and of uploads; `kept` is how long each is promised to stay, None for ever."""

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        blobs: BlobStore,
        stage: StageUpload,
        admit: AdmitTask,
        ids: IdFactory,
        kept: timedelta | None,
    ) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._stage = stage
        self._admit = admit
        self._ids = ids
        self._kept = kept

    def for_at_most(self, longest: timedelta) -> "StoreClip":
        """Return one whose clips are kept for `longest`, unless no clip is kept for so long."""
        kept = longest if self._kept is None else min(longest, self._kept)
        return StoreClip(
            new_uow=self._new_uow, blobs=self._blobs, stage=self._stage, admit=self._admit, ids=self._ids, kept=kept
        )

    async def __call__(self, owner: OwnerId, media: Path | UploadId, *, filename: str) -> Clip:
        """Store the recording and return its clip; a path is a finished file on our own disk, which is moved.

        Raises:
            StorageFull: there is no room; nothing is kept.
            QuotaExceeded: the owner has handed in enough; nothing is kept.
            UploadRefused, MediaRejected: as `StageUpload.take`.
        """
        clip_id = ClipId(self._ids.new())
        if isinstance(media, Path):
            blob = await self._blobs.adopt(clip_key(clip_id), media)
            try:
                return await self._add(owner, clip_id, filename, blob.size, blob.sha256)
            except QuotaExceeded:
                await self._blobs.delete(clip_key(clip_id))
                raise
        return await self._of_upload(owner, clip_id, media)

    async def _of_upload(self, owner: OwnerId, clip_id: ClipId, upload: UploadId) -> Clip:
        source = await self._stage.take(owner, upload, TaskId(clip_id))
        try:
            clip = await self._add(owner, clip_id, source.filename, source.size, source.sha256, upload=upload)
        except (UploadRefused, QuotaExceeded):
            await self._stage.settle(upload, source, taken=False)
            raise
        await self._stage.settle(upload, source, taken=True)
        return clip

    async def _add(
        self, owner: OwnerId, clip_id: ClipId, filename: str, size: int, sha256: str, *, upload: UploadId | None = None
    ) -> Clip:
        async with self._new_uow() as uow:
            now = await uow.tasks.now()
            clip = Clip(
                id=clip_id, owner=owner, filename=filename, size=size, sha256=sha256, created_at=now,
                expires_at=None if self._kept is None else now + self._kept,
            )  # fmt: skip
            await self._admit.hold_clip(uow, clip)
            await uow.clips.add(clip)
            await record(uow, Action.CREATED, Thing.CLIP, clip.id, owner=owner)
            if upload is not None and not await uow.uploads.remove(upload):
                raise UploadRefused(f"there is no upload {upload}", code="not_found")
            await uow.commit()
        return clip
