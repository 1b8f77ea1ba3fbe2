"""Clips in their table."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Executable, Row, func, select

from adapters.persistence.tables import tasks
from adapters.persistence.tables_clips import clips
from application.ports.clips import ClipRepository
from domain.clip import Clip, ClipId, clip_key
from domain.task import OwnerId

Run = Callable[[Executable], Awaitable[CursorResult[Any]]]


class SqlClips(ClipRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, clip: Clip) -> None:
        """Store a clip."""
        await self._run(clips.insert().values(asdict(clip) | {"media_key": clip.key}))

    async def get(self, clip_id: ClipId) -> Clip | None:
        """Return the clip, or None."""
        row = (await self._run(select(clips).where(clips.c.id == clip_id))).one_or_none()
        return None if row is None else _clip(row)

    async def use(self, clip_id: ClipId) -> bool:
        """Count a task; the row's lock is what makes others wait."""
        counted = clips.update().where(clips.c.id == clip_id).values(uses=clips.c.uses + 1)
        return (await self._run(counted)).rowcount == 1

    async def remove(self, clip_id: ClipId) -> bool:
        """Remove the row."""
        return (await self._run(clips.delete().where(clips.c.id == clip_id))).rowcount == 1

    async def page(self, owner: OwnerId, *, before: ClipId | None, limit: int) -> Sequence[Clip]:
        """Return the owner's clips, newest first."""
        page = select(clips).where(clips.c.owner == owner).order_by(clips.c.id.desc()).limit(limit)
        return [_clip(row) for row in await self._run(page if before is None else page.where(clips.c.id < before))]

    async def duration(self, clip_id: ClipId) -> int | None:
        """Ask the tasks that share its blob."""
        longest = select(func.max(tasks.c.duration)).where(tasks.c.media_key == clip_key(clip_id))
        found: int | None = (await self._run(longest)).scalar_one()
        return found

    async def expired(self, *, by: datetime, limit: int) -> Sequence[ClipId]:
        """Return what has expired."""
        old = select(clips.c.id).where(clips.c.expires_at <= by).order_by(clips.c.expires_at).limit(limit)
        return [ClipId(row.id) for row in await self._run(old)]

    async def every(self, *, after: ClipId | None, limit: int) -> Sequence[Clip]:
        """Return everybody's clips."""
        page = select(clips).order_by(clips.c.id).limit(limit)
        return [_clip(row) for row in await self._run(page if after is None else page.where(clips.c.id > after))]


def _clip(row: Row[Any]) -> Clip:
    return Clip(
        id=row.id, owner=row.owner, filename=row.filename, size=row.size, sha256=row.sha256, created_at=row.created_at,
        expires_at=row.expires_at, uses=row.uses,
    )  # fmt: skip
