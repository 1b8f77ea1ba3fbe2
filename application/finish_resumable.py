"""Turning a resumable upload of which all has come into one that waits for its task; may be repeated after a crash."""

from dataclasses import replace
from pathlib import Path

from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from domain.resumable import ResumableUpload
from domain.upload import KEPT, Upload, UploadId, incoming_key


class FinishResumable:
    """Hands the bytes over to the blob store. The waiting upload's row comes first: bytes without one are swept."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs

    async def __call__(self, upload: ResumableUpload, path: Path) -> ResumableUpload:
        """Take the finished file over.

        Raises:
            StorageFull: there is no room; it may be tried again.
        """
        await self._expect(upload)
        info = await self._blobs.adopt(incoming_key(upload.id), path)
        return await self._complete(upload, info.sha256)

    async def recovered(self, upload: ResumableUpload) -> ResumableUpload:
        """Complete what a crash left handed over and not noted."""
        async with self._new_uow() as uow:
            begun = await uow.uploads.get(upload.id) is not None
        found = await self._blobs.stat(incoming_key(upload.id)) if begun else None
        return await self._complete(upload, "") if found and found.size == upload.length else upload

    async def discard(self, upload_id: UploadId) -> None:
        """Remove what waits for a task."""
        await self._blobs.delete(incoming_key(upload_id))

    async def _expect(self, upload: ResumableUpload) -> None:
        async with self._new_uow() as uow:
            if await uow.uploads.get(upload.id) is None:
                now = await uow.tasks.now()
                waiting = Upload(
                    id=upload.id, owner=upload.owner, filename=upload.filename, size=upload.length or 0, sha256="",
                    created_at=now, expires_at=now + KEPT,
                )  # fmt: skip
                await uow.uploads.add(waiting)
                await uow.commit()

    async def _complete(self, upload: ResumableUpload, sha256: str) -> ResumableUpload:
        async with self._new_uow() as uow:
            completed = replace(upload, completed_at=await uow.tasks.now())
            if sha256:
                await uow.uploads.note(upload.id, sha256=sha256)
            await uow.resumables.save(completed)
            await uow.commit()
        return completed
