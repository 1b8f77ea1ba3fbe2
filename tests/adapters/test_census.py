"""The installation's figures against their contract, over each database."""

from datetime import datetime
from typing import Self

import pytest

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.memory_census import MemoryCensus
from adapters.persistence.sql_census import SqlCensus
from adapters.system import SystemClock
from application import add_up_storage
from application.add_up_storage import AddUpStorage
from application.ports.persistence import NewUnitOfWork
from domain.census import Census, Kept
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine
from tests.builders import a_task
from tests.contracts.census import CensusRepositoryContract, taken
from tests.contracts.proof import failures

__all__ = ["engine"]  # a fixture


class TestSqlCensus(OverSqlite, CensusRepositoryContract, adapter=SqlCensus): ...


class TestPostgresCensus(OverPostgres, CensusRepositoryContract, adapter=SqlCensus): ...


class TestMemoryCensus(OverMemory, CensusRepositoryContract, adapter=MemoryCensus): ...


class CarelessCensus(MemoryCensus):
    """Counts the last attempt only, and what is not due too."""

    async def attempt_ended(self, cause: str, *, by: int) -> None:  # noqa: ARG002
        self._shelves.attempts[cause] = 1

    async def take(self) -> Census:
        self._clock = LateClock()
        return await super().take()


class LateClock(SystemClock):
    def now(self) -> datetime:
        return super().now().replace(year=2100)


class CarelessUnit(MemoryUnitOfWork):
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.census = CarelessCensus(self._rows, self._database.clock)
        return self


async def test_the_contract_notices_a_broken_repository() -> None:
    def new() -> NewUnitOfWork:
        database = MemoryDatabase(SystemClock())
        return lambda: CarelessUnit(database)

    assert await failures(CensusRepositoryContract, new_uow=new) == {
        "test_only_what_is_due_waits",
        "test_attempts_are_counted_by_cause",
        "test_of_many_at_once_all_are_counted",
        "test_deliveries_lag_when_they_could_be_sent",
    }


async def test_storage_is_added_up_over_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(add_up_storage, "_PAGE", 2)
    database = MemoryDatabase(SystemClock())

    def new_uow() -> MemoryUnitOfWork:
        return MemoryUnitOfWork(database)

    async with new_uow() as uow:
        for _ in range(7):
            await uow.tasks.add(a_task())
        await uow.commit()
    for _ in range(2):
        await AddUpStorage(new_uow=new_uow)()
        assert (await taken(new_uow)).stored == {Kept.RECORDINGS: 7 * 1024, Kept.CLIPS: 0, Kept.UPLOADS: 0}
