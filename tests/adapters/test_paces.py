"""Learned paces against their contract, over each database."""

from dataclasses import replace
from typing import Self

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.memory_paces import MemoryPaces
from adapters.persistence.sql_paces import SqlPaces
from adapters.system import SystemClock
from application.ports.persistence import NewUnitOfWork
from domain.pace import Pace, Work
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine
from tests.contracts.paces import PaceRepositoryContract
from tests.contracts.proof import failures

__all__ = ["engine"]  # a fixture


class TestSqlPaces(OverSqlite, PaceRepositoryContract, adapter=SqlPaces): ...


class TestPostgresPaces(OverPostgres, PaceRepositoryContract, adapter=SqlPaces): ...


class TestMemoryPaces(OverMemory, PaceRepositoryContract, adapter=MemoryPaces): ...


class LastWins(MemoryPaces):
    """Forgets what was known before, and the device."""

    async def learn(self, work: Work, *, seconds: float, audio: float) -> None:
        self._rows[replace(work, device="")] = Pace(seconds, audio)


class ForgetfulUnit(MemoryUnitOfWork):
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.paces = LastWins(self._rows.paces)
        return self


async def test_the_contract_notices_a_broken_repository() -> None:
    def new() -> NewUnitOfWork:
        database = MemoryDatabase(SystemClock())
        return lambda: ForgetfulUnit(database)

    assert await failures(PaceRepositoryContract, new_uow=new) == {
        "test_the_first_figures_are_the_pace",
        "test_older_figures_count_less",
        "test_stage_engine_model_and_device_are_told_apart",
        "test_of_many_at_once_all_are_learned",
    }
