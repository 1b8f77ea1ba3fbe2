"""The port to the installation's figures: what is counted beside the facts, and what the facts themselves tell."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

from domain.census import Census, Kept


class CensusRepository(Protocol):
    """Counts and is asked for the count, as part of a unit of work.

    What was counted stays when the task is deleted, and is the same for every process that asks.
    """

    @abstractmethod
    async def attempt_ended(self, cause: str, *, by: int) -> None:
        """Count an attempt that ended in this unit of work; best as its last step, for others may wait for its end.

        `by` is any number: those who count by different ones seldom wait for each other.
        """

    @abstractmethod
    async def take(self) -> Census:
        """Return the figures of now; milliseconds, however long the history is."""

    @abstractmethod
    async def recordings(self, *, after: str, limit: int) -> Mapping[str, int]:
        """Return the size of each recording that some task holds, by its key: the next `limit` keys, in their order.

        Recordings that clips hold too are not among them.
        """

    @abstractmethod
    async def others(self) -> Mapping[Kept, int]:
        """Return the bytes of what else is kept: clips, and uploads that wait for their task."""

    @abstractmethod
    async def stored(self, sums: Mapping[Kept, int]) -> None:
        """Remember how many bytes are kept, for `take` to tell."""
