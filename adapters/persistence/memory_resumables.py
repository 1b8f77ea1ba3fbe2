"""Resumable uploads as JSON in memory."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import json

from application.ports.resumables import ResumableRepository
from domain.resumable import ResumableUpload
from domain.task import OwnerId
from domain.upload import UploadId


class MemoryResumables(ResumableRepository):
    """Keeps them in `rows`, somebody's copy of what is stored."""

    def __init__(self, rows: dict[UUID, bytes]) -> None:
        self._rows = rows

    async def add(self, upload: ResumableUpload) -> None:
        """Store an upload."""
        self._rows[upload.id] = json.encode(upload)

    async def get(self, upload_id: UploadId) -> ResumableUpload | None:
        """Return the upload, or None."""
        row = self._rows.get(upload_id)
        return None if row is None else json.decode(row, type=ResumableUpload)

    async def save(self, upload: ResumableUpload) -> None:
        """Store a change."""
        if upload.id in self._rows:
            await self.add(upload)

    async def remove(self, upload_id: UploadId) -> bool:
        """Remove the row."""
        return self._rows.pop(upload_id, None) is not None

    async def count(self, owner: OwnerId) -> int:
        """Count the owner's rows that are not complete."""
        return sum(upload.owner == owner and upload.completed_at is None for upload in self._all())

    async def expired(self, *, by: datetime, limit: int) -> Sequence[UploadId]:
        """Return what has expired."""
        old = sorted((upload.expires_at, upload.id) for upload in self._all() if upload.expires_at <= by)
        return [upload_id for _, upload_id in old[:limit]]

    def _all(self) -> list[ResumableUpload]:
        return [json.decode(row, type=ResumableUpload) for row in self._rows.values()]
