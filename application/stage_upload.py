"""Keeping a recording that came before its task, until exactly one task takes it."""

from contextlib import suppress
from pathlib import Path

from application.audit import note_refusal
from application.ports.blobs import BlobNotFound, BlobStat, BlobStore
from application.ports.persistence import NewUnitOfWork
from domain.audit import Thing
from domain.errors import MediaRejected, StorageUnavailable, UploadRefused
from domain.task import MediaSource, OwnerId, TaskId, media_key
from domain.upload import Upload, UploadId, incoming_key


class StageUpload:
    """Keeps uploads until a task takes them; what came is measured again when one does.

    The task gets a copy of its own, made by the store. A URL that still holds, or somebody who replaces what was
    looked at, can therefore change no recording that a task has.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore) -> None:
        self._new_uow = new_uow
        self._blobs = blobs

    async def find(self, owner: OwnerId, upload_id: UploadId) -> Upload:
        """Return the owner's upload.

        Raises:
            UploadRefused: there is none, it has expired, or a task has it; or it is still coming, piece by piece.
        """
        async with self._new_uow() as uow:
            upload = await uow.uploads.get(upload_id)
            coming = await uow.resumables.get(upload_id)
            if coming is not None and coming.owner == owner and coming.completed_at is None:
                raise UploadRefused("the upload is still on its way", code="upload_incomplete")
            if upload is not None and upload.owner != owner:
                note_refusal(Thing.UPLOAD, upload_id)
            if upload is None or upload.owner != owner or upload.expires_at <= await uow.tasks.now():
                raise UploadRefused(f"there is no upload {upload_id}", code="not_found")
            return upload

    async def receive(self, upload: Upload, path: Path) -> None:
        """Take over a finished file as the upload's content, replacing what came before.

        Raises:
            UploadRefused: its digest is not the one that was announced.
            StorageFull: there is no room.
        """
        info = await self._blobs.adopt(upload.key, path)
        if upload.sha256 and info.sha256 != upload.sha256:
            await self._blobs.delete(upload.key)
            raise UploadRefused("the upload's SHA-256 is not the announced one", code="upload_mismatch")
        async with self._new_uow() as uow:
            await uow.uploads.note(upload.id, sha256=info.sha256)
            await uow.commit()

    async def take(self, owner: OwnerId, upload_id: UploadId, task: TaskId) -> MediaSource:
        """Copy what came for the task; whoever then removes the upload's row has it.

        Raises:
            UploadRefused: there is no such upload, or it is not complete.
            MediaRejected: it is larger than was announced.
        """
        upload = await self.find(owner, upload_id)
        self._judge(upload, await self._blobs.stat(upload.key))
        key = media_key(task)
        try:
            stored = await self._blobs.copy(upload.key, key)
            self._judge(upload, stored)  # it may have been replaced after the first look
        except BlobNotFound as error:
            raise UploadRefused(f"there is no upload {upload_id}", code="not_found") from error
        except (MediaRejected, UploadRefused):
            await self._blobs.delete(key)
            raise
        return MediaSource(
            key=key, filename=upload.filename, size=stored.size, sha256=upload.sha256, etag=stored.etag
        )  # fmt: skip

    async def settle(self, upload_id: UploadId, source: MediaSource, *, taken: bool) -> None:
        """Remove what is now one too many: the upload if the task has taken it, and the task's copy if it has not.

        Raises:
            UploadRefused: another task was quicker.
        """
        with suppress(StorageUnavailable):  # the sweep finds it later
            await self._blobs.delete(incoming_key(upload_id) if taken else source.key)
        if not taken:
            raise UploadRefused(f"there is no upload {upload_id}", code="not_found")

    def _judge(self, upload: Upload, found: BlobStat | None) -> None:
        if found is None or found.size < upload.size:
            raise UploadRefused(
                f"{found.size if found else 0} of {upload.size} bytes are here", code="upload_incomplete"
            )
        if found.size > upload.size:
            raise MediaRejected(f"{upload.size} bytes were announced, and {found.size} came", code="too_large")
