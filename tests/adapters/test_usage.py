"""Usage against its contract, over each database, and the contract against what does it wrong."""

from dataclasses import replace
from datetime import datetime
from typing import Self

import pytest

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.memory_usage import MemoryUsage
from adapters.persistence.sql_usage import SqlUsage
from adapters.system import SystemClock
from application.ports.persistence import NewUnitOfWork
from domain.quota import MONTH, Quota, Used
from domain.task import OwnerId, TaskId
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine
from tests.contracts.proof import failures
from tests.contracts.usage import UsageRepositoryContract

__all__ = ["engine"]  # a fixture


class TestSqlUsage(OverSqlite, UsageRepositoryContract, adapter=SqlUsage): ...


class TestPostgresUsage(OverPostgres, UsageRepositoryContract, adapter=SqlUsage): ...


class TestMemoryUsage(OverMemory, UsageRepositoryContract, adapter=MemoryUsage): ...


class AddsEveryMeasure(MemoryUsage):
    async def measure(self, task_id: TaskId, *, audio_ms: int | None = None, size: int | None = None) -> None:
        before = self._charges[task_id].audio_ms if task_id in self._charges else 0
        await super().measure(task_id, audio_ms=before + (audio_ms or 0), size=size)


class NeverRolls(MemoryUsage):
    async def used(self, owner: OwnerId, *, now: datetime) -> Used:
        return await super().used(owner, now=now - MONTH)


class ChargesEverybody(MemoryUsage):
    async def used(self, owner: OwnerId, *, now: datetime) -> Used:
        return replace(await super().used(owner, now=now), requests=len(self._charges))


class ForgetsOtherFields(MemoryUsage):
    async def set_quota(self, owner: OwnerId, quota: Quota | None) -> None:
        await super().set_quota(owner, quota and Quota(requests=quota.requests))


def _broken(kind: type[MemoryUsage]) -> NewUnitOfWork:
    class Unit(MemoryUnitOfWork):
        async def __aenter__(self) -> Self:
            await super().__aenter__()
            self.usage = kind(self._rows.charges, self._rows.quotas, self.tasks._all)
            return self

    database = MemoryDatabase(SystemClock())
    return lambda: Unit(database)


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (AddsEveryMeasure, "test_what_is_measured_again_counts_once"),
        (NeverRolls, "test_a_day_and_a_month_roll"),
        (ChargesEverybody, "test_charges_add_up_for_their_owner"),
        (ForgetsOtherFields, "test_an_owner_may_have_a_quota_of_its_own"),
    ],
)
async def test_the_contract_catches(broken: type[MemoryUsage], caught_by: str) -> None:
    assert await failures(UsageRepositoryContract, caught_by, new_uow=lambda: _broken(broken))
