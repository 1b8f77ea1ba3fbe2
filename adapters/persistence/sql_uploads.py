"""Uploads in their table."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Executable, func, select

from adapters.persistence.tables_uploads import uploads
from application.ports.uploads import UploadRepository
from domain.task import OwnerId
from domain.upload import Upload, UploadId

Run = Callable[[Executable], Awaitable[CursorResult[Any]]]


class SqlUploads(UploadRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, upload: Upload) -> None:
        """Store an upload."""
        await self._run(uploads.insert().values(asdict(upload)))

    async def get(self, upload_id: UploadId) -> Upload | None:
        """Return the upload, or None."""
        row = (await self._run(select(uploads).where(uploads.c.id == upload_id))).one_or_none()
        return None if row is None else Upload(**row._asdict())

    async def note(self, upload_id: UploadId, *, sha256: str) -> None:
        """Note the digest."""
        await self._run(uploads.update().where(uploads.c.id == upload_id).values(sha256=sha256))

    async def remove(self, upload_id: UploadId) -> bool:
        """Remove the row."""
        return (await self._run(uploads.delete().where(uploads.c.id == upload_id))).rowcount == 1

    async def count(self, owner: OwnerId) -> int:
        """Count the owner's rows."""
        own = select(func.count()).select_from(uploads).where(uploads.c.owner == owner)
        return int((await self._run(own)).scalar_one())

    async def expired(self, *, by: datetime, limit: int) -> Sequence[UploadId]:
        """Return what has expired."""
        old = select(uploads.c.id).where(uploads.c.expires_at <= by).order_by(uploads.c.expires_at).limit(limit)
        return [UploadId(row.id) for row in await self._run(old)]
