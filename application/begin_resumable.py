"""Beginning a resumable upload: agreed on before its first byte, which comes by `ResumeUpload`."""

from application.announce_upload import MAX_WAITING
from application.ports.persistence import NewUnitOfWork
from application.ports.system import IdFactory
from domain.errors import MediaRejected, UploadRefused
from domain.resumable import ResumableUpload
from domain.task import OwnerId
from domain.upload import KEPT, UploadId


class BeginResumable:
    """Makes resumable uploads of up to `largest` bytes."""

    def __init__(self, *, new_uow: NewUnitOfWork, ids: IdFactory, largest: int) -> None:
        self._new_uow = new_uow
        self._ids = ids
        self.largest = largest

    async def __call__(self, owner: OwnerId, *, length: int | None, filename: str, metadata: str) -> ResumableUpload:
        """Begin an upload of `length` bytes, None to declare that later.

        Raises:
            MediaRejected: it would be larger than is allowed, or empty.
            UploadRefused: too many of the owner's wait already.
        """
        if length is not None and length > self.largest:
            raise MediaRejected(f"a recording may have at most {self.largest} bytes", code="too_large")
        if length == 0:
            raise MediaRejected("the recording has no bytes", code="empty_file")
        async with self._new_uow() as uow:
            if await uow.uploads.count(owner) + await uow.resumables.count(owner) >= MAX_WAITING:
                raise UploadRefused(f"{MAX_WAITING} uploads wait for their tasks already", code="too_many_uploads")
            now = await uow.tasks.now()
            upload = ResumableUpload(
                id=UploadId(self._ids.new()), owner=owner, filename=filename, length=length, metadata=metadata,
                created_at=now, expires_at=now + KEPT,
            )  # fmt: skip
            await uow.resumables.add(upload)
            await uow.commit()
        return upload
