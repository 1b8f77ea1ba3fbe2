"""Uploads as JSON in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from msgspec import json

from application.ports.uploads import UploadRepository
from domain.task import OwnerId
from domain.upload import Upload, UploadId


class MemoryUploads(UploadRepository):
    """Keeps them in `rows`, somebody's copy of what is stored."""

    def __init__(self, rows: dict[UUID, bytes]) -> None:
        self._rows = rows

    async def add(self, upload: Upload) -> None:
        """Store an upload."""
        self._rows[upload.id] = json.encode(upload)

    async def get(self, upload_id: UploadId) -> Upload | None:
        """Return the upload, or None."""
        row = self._rows.get(upload_id)
        return None if row is None else json.decode(row, type=Upload)

    async def note(self, upload_id: UploadId, *, sha256: str) -> None:
        """Note the digest."""
        if upload := await self.get(upload_id):
            await self.add(replace(upload, sha256=sha256))

    async def remove(self, upload_id: UploadId) -> bool:
        """Remove the row."""
        return self._rows.pop(upload_id, None) is not None

    async def count(self, owner: OwnerId) -> int:
        """Count the owner's rows."""
        return sum(upload.owner == owner for upload in self._all())

    async def expired(self, *, by: datetime, limit: int) -> Sequence[UploadId]:
        """Return what has expired."""
        old = sorted((upload.expires_at, upload.id) for upload in self._all() if upload.expires_at <= by)
        return [upload_id for _, upload_id in old[:limit]]

    def _all(self) -> list[Upload]:
        return [json.decode(row, type=Upload) for row in self._rows.values()]
