"""Removing uploads that no task came for, with their bytes; safe from any process at any time."""

from datetime import timedelta
from uuid import UUID

import structlog

from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from domain.upload import INCOMING, UploadId, incoming_key

STALE = timedelta(minutes=8)
"""After how long without a byte what is half stored counts as left by a crash: with the time between two sweeps, that
is gone within ten minutes. A part of an upload that is alive is away in a fraction of this."""
_BATCH = 500
_log = structlog.get_logger()


class SweepUploads:
    """Removes expired uploads, bytes that no upload names any more, and halves of blobs that crashes left."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs

    async def __call__(self, *, stale: timedelta = STALE) -> None:
        """Sweep once."""
        async with self._new_uow() as uow:
            old = await uow.uploads.expired(by=await uow.tasks.now(), limit=_BATCH)
            for upload_id in old:
                await uow.uploads.remove(upload_id)
            await uow.commit()
        # Its row comes before an upload's first byte, so bytes without one are left over.
        left = [key async for key in self._blobs.list(INCOMING) if not await self._expected(key)]
        for key in left:
            await self._blobs.delete(key)
        halves = await self._blobs.sweep_partial(stale)
        if old or left or halves:
            _log.info("uploads_swept", expired=len(old), blobs=len(left), halves=halves)

    async def _expected(self, key: str) -> bool:
        try:
            upload_id = UploadId(UUID(key.removeprefix(INCOMING)))
        except ValueError:
            return True  # nothing of ours
        async with self._new_uow() as uow:
            return key != incoming_key(upload_id) or await uow.uploads.get(upload_id) is not None
