"""The API over a real database, in this process, for promises about what several requests do at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.persistence.sql import SqlUnitOfWork
from application.ports.persistence import UnitOfWork
from domain.task import Task
from tests.adapters.test_persistence import postgres_engine, sqlite_engine
from tests.entrypoints.http_service import Api


class SqlApi(Api):
    """The API over an SQL database."""

    def __init__(self, folder: Path, engine: AsyncEngine, most_queued: tuple[int, int] = (9_999, 999)) -> None:
        self.engine = engine
        self.most_queued = most_queued
        super().__init__(folder)

    def new_uow(self) -> UnitOfWork:
        return SqlUnitOfWork(self.engine)

    async def queued(self) -> list[Task]:
        """Every queued task, in claim order."""
        async with self.new_uow() as uow:
            now = await uow.tasks.now()
            found = [await uow.tasks.get(task_id) for task_id in await uow.tasks.due(now=now, limit=99)]
        return [task for task in found if task is not None]

    def recordings(self, folder: Path) -> list[Path]:
        """Every stored recording."""
        return [path for path in (folder / "blobs" / "media").rglob("*") if path.is_file()]


@asynccontextmanager
async def database(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[AsyncEngine]:
    """Open an empty database of the kind that the test's parameter names."""
    if request.param == "sqlite":
        async with sqlite_engine(folder) as engine:
            yield engine
    else:
        async with postgres_engine(request.getfixturevalue("postgres")) as engine:
            yield engine
