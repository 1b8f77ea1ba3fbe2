"""Revisions, edits and texts against their contracts, over each database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.persistence.memory_revisions import MemoryEdits, MemoryRevisions, MemoryTranscriptTexts
from adapters.persistence.sql_revisions import SqlEdits, SqlRevisions
from adapters.persistence.sql_search import SqlTranscriptTexts
from domain.search import query_terms
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, sqlite_engine
from tests.contracts.transcript_rows import (
    HOSTILE,
    EditRepositoryContract,
    RevisionRepositoryContract,
    TranscriptTextsContract,
)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with sqlite_engine(tmp_path) as engine:
        yield engine


class TestSqlRevisions(OverSqlite, RevisionRepositoryContract, adapter=SqlRevisions): ...


class TestSqlEdits(OverSqlite, EditRepositoryContract, adapter=SqlEdits): ...


class TestSqlTranscriptTexts(OverSqlite, TranscriptTextsContract, adapter=SqlTranscriptTexts): ...


class TestPostgresRevisions(OverPostgres, RevisionRepositoryContract, adapter=SqlRevisions): ...


class TestPostgresEdits(OverPostgres, EditRepositoryContract, adapter=SqlEdits): ...


class TestPostgresTranscriptTexts(OverPostgres, TranscriptTextsContract, adapter=SqlTranscriptTexts): ...


class TestMemoryRevisions(OverMemory, RevisionRepositoryContract, adapter=MemoryRevisions): ...


class TestMemoryEdits(OverMemory, EditRepositoryContract, adapter=MemoryEdits): ...


class TestMemoryTranscriptTexts(OverMemory, TranscriptTextsContract, adapter=MemoryTranscriptTexts): ...


def test_the_hostile_queries_are_not_all_empty() -> None:
    assert sum(bool(query_terms(query)) for query in HOSTILE) > len(HOSTILE) // 2
