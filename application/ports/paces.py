"""The port to what was learned about the speed of stages."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

from domain.pace import Pace, Work


class PaceRepository(Protocol):
    """Stores paces, as part of a unit of work."""

    @abstractmethod
    async def learn(self, work: Work, *, seconds: float, audio: float) -> None:
        """Add one task's figures as `Pace.learned` does; what others add at the same time is not lost."""

    @abstractmethod
    async def all(self) -> Mapping[Work, Pace]:
        """Return every pace. They are few: what is installed bounds them."""
