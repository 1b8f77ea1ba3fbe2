"""Resumable uploads in their table."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Executable, func, select

from adapters.persistence.tables_resumables import resumable_uploads as _rows
from application.ports.resumables import ResumableRepository
from domain.resumable import ResumableUpload
from domain.task import OwnerId
from domain.upload import UploadId

Run = Callable[[Executable], Awaitable[CursorResult[Any]]]


class SqlResumables(ResumableRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, upload: ResumableUpload) -> None:
        """Store an upload."""
        await self._run(_rows.insert().values(asdict(upload)))

    async def get(self, upload_id: UploadId) -> ResumableUpload | None:
        """Return the upload, or None."""
        row = (await self._run(select(_rows).where(_rows.c.id == upload_id))).one_or_none()
        return None if row is None else ResumableUpload(**row._asdict())

    async def save(self, upload: ResumableUpload) -> None:
        """Store a change."""
        await self._run(_rows.update().where(_rows.c.id == upload.id).values(asdict(upload)))

    async def remove(self, upload_id: UploadId) -> bool:
        """Remove the row."""
        return (await self._run(_rows.delete().where(_rows.c.id == upload_id))).rowcount == 1

    async def count(self, owner: OwnerId) -> int:
        """Count the owner's rows that are not complete."""
        own = select(func.count()).select_from(_rows).where(_rows.c.owner == owner, _rows.c.completed_at.is_(None))
        return int((await self._run(own)).scalar_one())

    async def expired(self, *, by: datetime, limit: int) -> Sequence[UploadId]:
        """Return what has expired."""
        old = select(_rows.c.id).where(_rows.c.expires_at <= by).order_by(_rows.c.expires_at).limit(limit)
        return [UploadId(row.id) for row in await self._run(old)]
