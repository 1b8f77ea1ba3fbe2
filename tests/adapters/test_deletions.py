"""The stores of deletions, of what is kept and of chores against their contracts, over each database."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.persistence.memory_deletions import MemoryChores, MemoryDeletions, MemoryKeeping
from adapters.persistence.sql import SqlUnitOfWork
from adapters.persistence.sql_deletions import SqlChores, SqlDeletions, SqlKeeping
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine
from tests.builders import a_task
from tests.contracts.deletions import (
    ChoreRepositoryContract,
    DeletionRepositoryContract,
    KeepingRepositoryContract,
    an_ended_task,
)
from tests.contracts.unit_of_work import stored

__all__ = ["engine"]


class TestSqlDeletions(OverSqlite, DeletionRepositoryContract, adapter=SqlDeletions): ...


class TestPostgresDeletions(OverPostgres, DeletionRepositoryContract, adapter=SqlDeletions): ...


class TestMemoryDeletions(OverMemory, DeletionRepositoryContract, adapter=MemoryDeletions): ...


class TestSqlKeeping(OverSqlite, KeepingRepositoryContract, adapter=SqlKeeping): ...


class TestPostgresKeeping(OverPostgres, KeepingRepositoryContract, adapter=SqlKeeping): ...


class TestMemoryKeeping(OverMemory, KeepingRepositoryContract, adapter=MemoryKeeping): ...


class TestSqlChores(OverSqlite, ChoreRepositoryContract, adapter=SqlChores): ...


class TestPostgresChores(OverPostgres, ChoreRepositoryContract, adapter=SqlChores): ...


class TestMemoryChores(OverMemory, ChoreRepositoryContract, adapter=MemoryChores): ...


async def test_rows_of_the_release_before_hold_the_recording_of_their_own_id(engine: AsyncEngine) -> None:
    """They were written without `media_key`, which then is `media/` and the id."""

    def new_uow() -> SqlUnitOfWork:
        return SqlUnitOfWork(engine)

    old, new = an_ended_task(), a_task()
    await stored(new_uow, old, new)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE tasks SET media_key = NULL WHERE id = :id"), {"id": old.id.hex})
    keys = [old.media.key, new.media.key, "media/strange", f"media/{a_task().id}"]
    async with new_uow() as uow:
        assert await uow.keeping.holders(old.media.key) == 1
        assert await uow.keeping.held(keys) == set(keys[:2])
        assert [each.media_key for each in await uow.keeping.holdings(after=None, limit=9)] == keys[:2]


async def test_only_what_is_due_is_read(engine: AsyncEngine) -> None:
    """However long the history: the index leads from age to age, and in each to the oldest."""
    async with engine.connect() as connection:
        plan = await connection.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT id FROM tasks WHERE keep_media_s IS NOT NULL AND media_purged_at IS NULL"
                " AND finished_at IS NOT NULL AND keep_media_s = 60 AND finished_at <= '2026' ORDER BY finished_at"
            )
        )
        assert "ix_tasks_keep_media" in " ".join(str(row) for row in plan)
