"""Removing resumable uploads whose time is over; each machine does so for the files that grow on its own disk."""

from contextlib import suppress

import structlog

from application.ports.persistence import NewUnitOfWork
from application.ports.resumables import FileHeld, GrowingFiles
from domain.upload import KEPT, UploadId

_BATCH = 500
_log = structlog.get_logger()


class SweepResumables:
    """Removes bytes at once when their upload expires, and its row a day later: until then it is said to be over."""

    def __init__(self, *, new_uow: NewUnitOfWork, files: GrowingFiles) -> None:
        self._new_uow = new_uow
        self._files = files

    async def __call__(self) -> None:
        """Sweep once."""
        async with self._new_uow() as uow:
            for upload_id in await uow.resumables.expired(by=await uow.tasks.now() - KEPT, limit=_BATCH):
                await uow.resumables.remove(upload_id)
            await uow.commit()
        # Its row comes before an upload's file, so a file without one is left over.
        left = [name for name in await self._files.names() if not await self._grows(UploadId(name))]
        for name in left:
            with suppress(FileHeld):  # at the next turn, then
                async with self._files.hold(name):
                    await self._files.remove(name)
        if left:
            _log.info("resumable_uploads_swept", files=len(left))

    async def _grows(self, upload_id: UploadId) -> bool:
        async with self._new_uow() as uow:
            upload = await uow.resumables.get(upload_id)
            return upload is not None and upload.completed_at is None and upload.expires_at > await uow.tasks.now()
