"""Learned paces in their table."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import CursorResult, Executable, select, text

from adapters.persistence.tables_paces import paces
from application.ports.paces import PaceRepository
from domain.pace import KEPT, Pace, Work
from domain.stage import StageName

_LEARN = text(
    "INSERT INTO paces (stage, engine, model, device, seconds, audio)"
    " VALUES (:stage, :engine, :model, :device, :seconds, :audio)"
    " ON CONFLICT (stage, engine, model, device) DO UPDATE SET"
    " seconds = paces.seconds * :kept + excluded.seconds, audio = paces.audio * :kept + excluded.audio"
)


class SqlPaces(PaceRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Callable[[Executable, dict[str, Any] | None], Awaitable[CursorResult[Any]]]) -> None:
        self._run = run

    async def learn(self, work: Work, *, seconds: float, audio: float) -> None:
        """Add one task's figures in one statement, so that no other's fit in between."""
        figures = {"seconds": float(seconds), "audio": float(audio), "kept": KEPT}
        await self._run(_LEARN, asdict(work) | {"stage": work.stage.value} | figures)

    async def all(self) -> Mapping[Work, Pace]:
        """Return every pace."""
        rows = await self._run(select(paces), None)
        return {
            Work(stage=StageName(row.stage), engine=row.engine, model=row.model, device=row.device): Pace(
                row.seconds, row.audio
            )
            for row in rows
        }
