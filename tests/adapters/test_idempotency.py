"""The keys of requests against their contract, over each database."""

from datetime import datetime
from typing import Self

import pytest

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.memory_idempotency import MemoryIdempotency
from adapters.persistence.sql_idempotency import SqlIdempotency
from adapters.system import SystemClock
from domain.idempotency import Answered, RequestKey
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine
from tests.contracts.idempotency import IdempotencyRepositoryContract
from tests.contracts.proof import failures

__all__ = ["engine"]


class TestSqlIdempotency(OverSqlite, IdempotencyRepositoryContract, adapter=SqlIdempotency): ...


class TestPostgresIdempotency(OverPostgres, IdempotencyRepositoryContract, adapter=SqlIdempotency): ...


class TestMemoryIdempotency(OverMemory, IdempotencyRepositoryContract, adapter=MemoryIdempotency): ...


class TakesTheLatest(MemoryIdempotency):
    async def add(self, key: RequestKey, answered: Answered, *, now: datetime) -> bool:
        self._requests[key] = answered, now
        return True


class OutlivesItsTask(MemoryIdempotency):
    async def get(self, key: RequestKey) -> Answered | None:
        return self._requests[key][0] if key in self._requests else None


class ForgetsEverything(MemoryIdempotency):
    async def forget(self, *, before: datetime) -> int:
        return await super().forget(before=before.replace(year=9999))


@pytest.mark.parametrize(
    ("kind", "caught_by"),
    [
        (TakesTheLatest, "test_of_many_at_once_one_stores_its_answer_and_all_find_it"),
        (TakesTheLatest, "test_the_first_answer_stays"),
        (OutlivesItsTask, "test_an_answer_goes_with_its_task"),
        (ForgetsEverything, "test_the_old_are_forgotten"),
    ],
)
async def test_the_contract_catches(kind: type[MemoryIdempotency], caught_by: str) -> None:
    class Unit(MemoryUnitOfWork):
        async def __aenter__(self) -> Self:
            await super().__aenter__()
            self.idempotency = kind(self._rows.idempotency_keys, self._rows.tasks)
            return self

    def broken() -> object:
        database = MemoryDatabase(SystemClock())
        return lambda: Unit(database)

    assert await failures(IdempotencyRepositoryContract, caught_by, new_uow=broken)
