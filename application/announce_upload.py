"""Announcing a recording: its place and its size are settled before the first byte is sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from application.ports.direct_access import DirectAccess
from application.ports.persistence import NewUnitOfWork
from application.ports.system import IdFactory
from domain.errors import MediaRejected, UploadRefused
from domain.task import OwnerId
from domain.upload import KEPT, Upload, UploadId

URL_VALID = timedelta(hours=1)
"""An upload must begin within this time; it may take as long as it takes."""
MAX_WAITING = 100
"""Uploads of one owner that wait for their tasks: more than a program has need of, and an end to filling the store."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An announced upload, and where else than to us its bytes may be sent until when."""

    upload: Upload
    url: str | None
    url_expires_at: datetime


class AnnounceUpload:
    """Makes room for an upload, in the store itself where clients can reach it."""

    def __init__(self, *, new_uow: NewUnitOfWork, direct: DirectAccess, ids: IdFactory, largest: int) -> None:
        self._new_uow = new_uow
        self._direct = direct
        self._ids = ids
        self._largest = largest

    async def __call__(self, owner: OwnerId, *, filename: str, size: int, sha256: str) -> Offer:
        """Announce an upload of exactly `size` bytes.

        Raises:
            MediaRejected: it would be larger than is allowed.
            UploadRefused: too many of the owner's wait already.
        """
        if size > self._largest:
            raise MediaRejected(f"a recording may have at most {self._largest} bytes", code="too_large")
        async with self._new_uow() as uow:
            if await uow.uploads.count(owner) >= MAX_WAITING:
                raise UploadRefused(f"{MAX_WAITING} uploads wait for their tasks already", code="too_many_uploads")
            now = await uow.tasks.now()
            upload = Upload(
                id=UploadId(self._ids.new()), owner=owner, filename=filename, size=size, sha256=sha256, created_at=now,
                expires_at=now + KEPT,
            )  # fmt: skip
            await uow.uploads.add(upload)
            await uow.commit()
        return Offer(upload, self._direct.upload_url(upload.key, size=size, valid=URL_VALID), now + URL_VALID)
