"""Wrapped keys and the keyring against their contracts, over each database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Self

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.keyring import Keyring
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.memory_vault import MemoryVaultKeys
from adapters.persistence.sql import SqlUnitOfWork
from adapters.persistence.sql_sealed import SealedCheckpoints, SealedTranscriptTexts
from adapters.persistence.sql_vault import SqlVaultKeys
from adapters.persistence.tables import checkpoints
from adapters.persistence.tables_revisions import transcript_texts
from adapters.system import SystemClock, Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from application.ports.vault import Vault, WrappedKey
from domain.search import text_parts
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine, postgres_engine
from tests.builders import a_running_task
from tests.contracts.proof import failures
from tests.contracts.suite import Suite
from tests.contracts.transcript_rows import TranscriptTextsContract
from tests.contracts.unit_of_work import CheckpointRepositoryContract
from tests.contracts.vault import VaultContract, VaultKeyRepositoryContract
from tests.servers.postgres import PostgresServer

__all__ = ["engine"]  # a fixture


class TestSqlVaultKeys(OverSqlite, VaultKeyRepositoryContract, adapter=SqlVaultKeys): ...


class TestPostgresVaultKeys(OverPostgres, VaultKeyRepositoryContract, adapter=SqlVaultKeys): ...


class TestMemoryVaultKeys(OverMemory, VaultKeyRepositoryContract, adapter=MemoryVaultKeys): ...


def keyring(new_uow: NewUnitOfWork, *keys: int) -> Keyring:
    return Keyring([bytes([key]) * 32 for key in keys], new_uow, Uuid7Factory())


class SealedOverSqlite(Suite):
    @pytest.fixture
    async def new_uow(self, engine: AsyncEngine) -> NewUnitOfWork:
        vault = keyring(lambda: SqlUnitOfWork(engine), 1)
        await vault.open()
        return lambda: SqlUnitOfWork(engine, vault)


class SealedOverPostgres(Suite):
    @pytest.fixture
    async def new_uow(self, postgres: PostgresServer) -> AsyncIterator[NewUnitOfWork]:
        async with postgres_engine(postgres) as engine:
            vault = keyring(lambda: SqlUnitOfWork(engine), 1)
            await vault.open()
            yield lambda: SqlUnitOfWork(engine, vault)


class TestSealedCheckpoints(SealedOverSqlite, CheckpointRepositoryContract, adapter=SealedCheckpoints): ...


class TestSealedTexts(SealedOverSqlite, TranscriptTextsContract, adapter=SealedTranscriptTexts): ...


class TestPostgresSealedTexts(SealedOverPostgres, TranscriptTextsContract, adapter=SealedTranscriptTexts): ...


async def test_what_was_said_is_sealed_and_what_was_stored_before_is_still_found(engine: AsyncEngine) -> None:
    ring = keyring(lambda: SqlUnitOfWork(engine), 1)
    await ring.open()
    tasks = [a_running_task(), a_running_task()]
    for task, vault in zip(tasks, (None, ring), strict=True):
        async with SqlUnitOfWork(engine, vault) as uow:
            await uow.tasks.add(task)
            await uow.texts.put(task.id, text_parts(["quixotic words"]))
            await uow.checkpoints.put(task.id, "w/1", token=task.token, payload=b"quixotic words")
            await uow.commit()
    late = keyring(lambda: SqlUnitOfWork(engine), 1)
    async with SqlUnitOfWork(engine, late) as uow:
        hits = await uow.texts.find(tasks[0].owner, ["quix"], before=None, limit=9)
        assert [hit.text for hit in hits] == ["quixotic words"] * 2, "it learns the keys by itself"
        assert [await uow.checkpoints.all(task.id) for task in tasks] == [{"w/1": b"quixotic words"}] * 2
    async with engine.connect() as connection:
        rows = [
            repr(row) for table in (transcript_texts, checkpoints) for row in await connection.execute(select(table))
        ]
    assert ["quixotic" in row for row in rows] == [True, False] * 2


class OfKeyrings(Suite):
    @pytest.fixture
    def vaults(self, new_uow: NewUnitOfWork) -> Callable[..., Vault]:
        return lambda *keys: keyring(new_uow, *keys)


class TestSqlKeyring(OfKeyrings, OverSqlite, VaultContract, adapter=Keyring): ...


class TestMemoryKeyring(OfKeyrings, OverMemory, VaultContract, adapter=Keyring): ...


async def test_of_many_first_starts_one_makes_the_key() -> None:
    database = MemoryDatabase(SystemClock())
    rings = [keyring(lambda: MemoryUnitOfWork(database), 1) for _ in range(5)]
    assert len({key.id for key in await asyncio.gather(*[ring.current() for ring in rings])}) == 1


class ForgetsTheNumber(MemoryVaultKeys):
    async def add(self, key: WrappedKey) -> bool:
        self._rows[key.id] = key
        return True

    async def rewrap(self, key: WrappedKey) -> None:
        self._rows[key.id] = key


class ForgetfulUnit(MemoryUnitOfWork):
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.vault_keys = ForgetsTheNumber(self._rows.vault_keys)
        return self


async def test_the_contract_notices_a_broken_repository() -> None:
    def new() -> NewUnitOfWork:
        database = MemoryDatabase(SystemClock())
        return lambda: ForgetfulUnit(database)

    assert await failures(VaultKeyRepositoryContract, new_uow=new) == {
        "test_a_number_is_taken_once",
        "test_a_key_is_wrapped_anew",
    }
