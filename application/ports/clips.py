"""The port to clips."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.clip import Clip, ClipId
from domain.task import OwnerId


class ClipRepository(Protocol):
    """Stores clips, as part of a unit of work."""

    @abstractmethod
    async def add(self, clip: Clip) -> None:
        """Store a new clip."""

    @abstractmethod
    async def get(self, clip_id: ClipId) -> Clip | None:
        """Return the clip, or None."""

    @abstractmethod
    async def use(self, clip_id: ClipId) -> bool:
        """Count one more task that is made of it; False when there is no such clip.

        Whoever removes the clip at the same moment waits for this unit, or this one finds it gone.
        """

    @abstractmethod
    async def remove(self, clip_id: ClipId) -> bool:
        """Remove the clip; say whether it was there: of several who remove it at once, one is told so."""

    @abstractmethod
    async def page(self, owner: OwnerId, *, before: ClipId | None, limit: int) -> Sequence[Clip]:
        """Return the owner's clips, newest first (ids are time-ordered), those older than `before`."""

    @abstractmethod
    async def duration(self, clip_id: ClipId) -> int | None:
        """Return the length in ms that a task made of it has found, None while none has."""

    @abstractmethod
    async def expired(self, *, by: datetime, limit: int) -> Sequence[ClipId]:
        """Return clips that had expired by then, the oldest first."""

    @abstractmethod
    async def every(self, *, after: ClipId | None, limit: int) -> Sequence[Clip]:
        """Return everybody's clips, by id upwards, those above `after`."""
