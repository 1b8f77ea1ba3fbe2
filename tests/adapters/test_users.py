"""Users and sessions against their contracts, over each database."""

from datetime import datetime
from typing import Self

import pytest

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.memory_users import MemorySessions, MemoryUsers
from adapters.persistence.sql_users import SqlSessions, SqlUsers
from adapters.system import SystemClock
from domain.access import SessionId, UserId
from domain.user import User
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine
from tests.contracts.proof import failures
from tests.contracts.users import SessionRepositoryContract, UserRepositoryContract

__all__ = ["engine"]


class TestSqlUsers(OverSqlite, UserRepositoryContract, adapter=SqlUsers): ...


class TestPostgresUsers(OverPostgres, UserRepositoryContract, adapter=SqlUsers): ...


class TestMemoryUsers(OverMemory, UserRepositoryContract, adapter=MemoryUsers): ...


class TestSqlSessions(OverSqlite, SessionRepositoryContract, adapter=SqlSessions): ...


class TestPostgresSessions(OverPostgres, SessionRepositoryContract, adapter=SqlSessions): ...


class TestMemorySessions(OverMemory, SessionRepositoryContract, adapter=MemorySessions): ...


class TakesTheSameAddressTwice(MemoryUsers):
    async def by_email(self, email: str) -> User | None:  # noqa: ARG002
        return None


class ChangesEverybodysPassword(MemoryUsers):
    async def set_password(self, user_id: UserId, password: str) -> None:  # noqa: ARG002
        for each in list(self._rows):
            await super().set_password(UserId(each), password)


class RevokesNobody(MemorySessions):
    async def revoke(self, session_id: SessionId, *, at: datetime) -> None: ...


class RevokesEverybody(MemorySessions):
    async def revoke_all(self, user_id: UserId, *, at: datetime) -> None:  # noqa: ARG002
        for session in self._all():
            await self.revoke(session.id, at=at)


class ForgetsNothing(MemorySessions):
    async def forget_expired(self, *, by: datetime) -> None: ...


@pytest.mark.parametrize(
    ("users", "caught_by"),
    [
        (MemoryUsers, ""),
        (TakesTheSameAddressTwice, "test_an_address_has_one_user_and_the_first_stays"),
        (ChangesEverybodysPassword, "test_a_password_is_replaced_for_one_user"),
    ],
)
async def test_the_contract_of_users_catches(users: type[MemoryUsers], caught_by: str) -> None:
    class Unit(MemoryUnitOfWork):
        async def __aenter__(self) -> Self:
            await super().__aenter__()
            self.users = users(self._rows.users)
            return self

    await _caught(UserRepositoryContract, Unit, caught_by)


@pytest.mark.parametrize(
    ("sessions", "caught_by"),
    [
        (MemorySessions, ""),
        (RevokesNobody, "test_one_is_revoked_once"),
        (RevokesEverybody, "test_all_of_a_user_are_revoked"),
        (ForgetsNothing, "test_the_expired_are_forgotten"),
    ],
)
async def test_the_contract_of_sessions_catches(sessions: type[MemorySessions], caught_by: str) -> None:
    class Unit(MemoryUnitOfWork):
        async def __aenter__(self) -> Self:
            await super().__aenter__()
            self.sessions = sessions(self._rows.sessions)
            return self

    await _caught(SessionRepositoryContract, Unit, caught_by)


async def _caught(suite: type, unit: type[MemoryUnitOfWork], by: str) -> None:
    def new_uow() -> object:
        database = MemoryDatabase(SystemClock())
        return lambda: unit(database)

    failed = await failures(suite, new_uow=new_uow)
    assert by in failed if by else not failed
