"""The audit log against its contract over each database, and what the databases themselves refuse."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Self

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.memory_audit import MemoryAudit
from adapters.persistence.sql import SqlUnitOfWork
from adapters.persistence.sql_audit import SqlAudit
from adapters.system import SystemClock
from application.ports.persistence import NewUnitOfWork
from domain.audit import Fact
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine, postgres_engine
from tests.contracts.audit import AuditRepositoryContract, a_fact
from tests.contracts.proof import failures
from tests.servers.postgres import PostgresServer

__all__ = ["engine"]  # a fixture


class TestSqlAudit(OverSqlite, AuditRepositoryContract, adapter=SqlAudit): ...


class TestPostgresAudit(OverPostgres, AuditRepositoryContract, adapter=SqlAudit): ...


class TestMemoryAudit(OverMemory, AuditRepositoryContract, adapter=MemoryAudit): ...


@pytest.fixture
async def postgres_database(postgres: PostgresServer) -> AsyncIterator[AsyncEngine]:
    async with postgres_engine(postgres) as made:
        yield made


TOO_YOUNG = "INSERT INTO audit_pruning (before) VALUES ('2999-01-01 00:00:00')"
FORBIDDEN = ("UPDATE audit_log SET actor = 'somebody else'", "DELETE FROM audit_log", TOO_YOUNG)


async def refused(engine: AsyncEngine, *more: str) -> None:
    async with SqlUnitOfWork(engine) as uow:
        await uow.audit.add(a_fact(), replace(a_fact(2), age=timedelta(days=900)))
        await uow.commit()
    for statement in (*FORBIDDEN, *more):
        async with engine.connect() as connection:
            with pytest.raises(DBAPIError, match="audit log"):
                await connection.execute(text(statement))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM audit_log"))).scalar_one() == 2


async def test_d09_sqlite_refuses_to_change_what_was_written(engine: AsyncEngine) -> None:
    await refused(engine, "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log")


async def test_d09_postgres_refuses_to_change_what_was_written(postgres_database: AsyncEngine) -> None:
    await refused(postgres_database, "TRUNCATE audit_log")


class Amends(MemoryAudit):
    """Keeps one entry for each object, the last one, and no age."""

    async def add(self, *facts: Fact) -> None:
        for fact in facts:
            for key in [key for key, entry in self._rows.items() if entry.fact.object == fact.object]:
                del self._rows[key]
            await super().add(replace(fact, age=timedelta()))


class AmendingUnit(MemoryUnitOfWork):
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.audit = Amends(self._rows.audit, self._database.clock)
        return self


async def test_the_contract_notices_a_log_that_changes() -> None:
    def new() -> NewUnitOfWork:
        database = MemoryDatabase(SystemClock())
        return lambda: AmendingUnit(database)

    assert await failures(AuditRepositoryContract, new_uow=new) == {
        "test_the_database_tells_the_time_less_the_age",
        "test_each_filter_alone_and_all_together",
        "test_only_what_is_old_is_pruned",
    }
