"""Histories and batches against their contracts, over each database, and how long a page of a long history takes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.persistence.memory import MemoryTasks
from adapters.persistence.memory_batches import MemoryBatches
from adapters.persistence.sql import SqlTasks
from adapters.persistence.sql_batches import SqlBatches
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, sqlite_engine
from tests.contracts.history import BatchRepositoryContract, HistoryContract


class TestSqlHistory(OverSqlite, HistoryContract, adapter=SqlTasks): ...


class TestPostgresHistory(OverPostgres, HistoryContract, adapter=SqlTasks): ...


class TestMemoryHistory(OverMemory, HistoryContract, adapter=MemoryTasks): ...


class TestSqlBatches(OverSqlite, BatchRepositoryContract, adapter=SqlBatches): ...


class TestPostgresBatches(OverPostgres, BatchRepositoryContract, adapter=SqlBatches): ...


class TestMemoryBatches(OverMemory, BatchRepositoryContract, adapter=MemoryBatches): ...


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with sqlite_engine(tmp_path) as engine:
        yield engine
