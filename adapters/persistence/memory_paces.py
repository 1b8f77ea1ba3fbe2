"""Learned paces in memory; they are values, which nobody can change in place."""

from collections.abc import Mapping

from application.ports.paces import PaceRepository
from domain.pace import Pace, Work


class MemoryPaces(PaceRepository):
    """Keeps them in `rows`, somebody's copy of what is stored."""

    def __init__(self, rows: dict[Work, Pace]) -> None:
        self._rows = rows

    async def learn(self, work: Work, *, seconds: float, audio: float) -> None:
        """Add one task's figures."""
        self._rows[work] = self._rows.get(work, Pace()).learned(seconds=seconds, audio=audio)

    async def all(self) -> Mapping[Work, Pace]:
        """Return every pace."""
        return dict(self._rows)
