"""Deleting a clip: its row at once, with a tombstone in its place, then its bytes, unless a task needs them."""

import structlog

from application.audit import record
from application.erase import Erase
from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from application.query_clips import owned_clip
from domain.audit import Action, Thing
from domain.clip import Clip, ClipId
from domain.deletion import Deletion, DeletionReason
from domain.errors import ClipNotFound
from domain.task import OwnerId, TaskId

_log = structlog.get_logger()


class DeleteClip:
    """Removes clips. Tasks that were made of one keep the recording for as long as they need it."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._erase = Erase(new_uow=new_uow, blobs=blobs)

    async def __call__(self, owner: OwnerId, clip_id: ClipId) -> None:
        """Delete the owner's clip.

        Raises:
            ClipNotFound: there is no such clip.
        """
        async with self._new_uow() as uow:
            clip = await owned_clip(uow, owner, clip_id)
        if not await self._bury(clip, DeletionReason.CALLER):
            raise ClipNotFound(f"there is no clip {clip_id}")

    async def expire(self, clip_id: ClipId) -> None:
        """Delete a clip whose time has come; one that is gone is no error."""
        async with self._new_uow() as uow:
            clip = await uow.clips.get(clip_id)
        if clip is not None:
            await self._bury(clip, DeletionReason.RETENTION)

    async def _bury(self, clip: Clip, reason: DeletionReason) -> bool:
        async with self._new_uow() as uow:
            if not await uow.clips.remove(clip.id):
                return False
            await uow.deletions.add(Deletion.of_clip(clip, reason=reason, now=await uow.tasks.now()))
            await record(uow, Action.DELETED, Thing.CLIP, clip.id, owner=clip.owner, detail=reason.value)
            await uow.commit()
        try:
            await self._erase(TaskId(clip.id))
        except Exception:  # noqa: BLE001 - the clip is gone for good; the tombstone has its bytes removed later
            _log.warning("erasure_deferred", clip_id=str(clip.id), exc_info=True)
        return True
