"""Clips as JSON in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from msgspec import json

from application.ports.clips import ClipRepository
from domain.clip import Clip, ClipId, clip_key
from domain.task import OwnerId, Task


class MemoryClips(ClipRepository):
    """Keeps them in `rows`, somebody's copy of what is stored; `tasks` gives all tasks."""

    def __init__(self, rows: dict[UUID, bytes], tasks: Callable[[], list[Task]]) -> None:
        self._rows = rows
        self._tasks = tasks

    async def add(self, clip: Clip) -> None:
        """Store a clip."""
        self._rows[clip.id] = json.encode(clip)

    async def get(self, clip_id: ClipId) -> Clip | None:
        """Return the clip, or None."""
        row = self._rows.get(clip_id)
        return None if row is None else json.decode(row, type=Clip)

    async def use(self, clip_id: ClipId) -> bool:
        """Count a task."""
        clip = await self.get(clip_id)
        if clip is not None:
            await self.add(replace(clip, uses=clip.uses + 1))
        return clip is not None

    async def remove(self, clip_id: ClipId) -> bool:
        """Remove the row."""
        return self._rows.pop(clip_id, None) is not None

    async def page(self, owner: OwnerId, *, before: ClipId | None, limit: int) -> Sequence[Clip]:
        """Return the owner's clips, newest first."""
        own = [clip for clip in self._all() if clip.owner == owner and (before is None or clip.id < before)]
        return own[::-1][:limit]

    async def duration(self, clip_id: ClipId) -> int | None:
        """Ask the tasks that share its blob."""
        found = [task.duration for task in self._tasks() if task.media.key == clip_key(clip_id)]
        return max((length for length in found if length is not None), default=None)

    async def expired(self, *, by: datetime, limit: int) -> Sequence[ClipId]:
        """Return what has expired."""
        old = sorted((clip.expires_at, clip.id) for clip in self._all() if clip.expires_at and clip.expires_at <= by)
        return [clip_id for _, clip_id in old[:limit]]

    async def every(self, *, after: ClipId | None, limit: int) -> Sequence[Clip]:
        """Return everybody's clips."""
        return [clip for clip in self._all() if after is None or clip.id > after][:limit]

    def _all(self) -> list[Clip]:
        return sorted((json.decode(row, type=Clip) for row in self._rows.values()), key=lambda clip: clip.id)
