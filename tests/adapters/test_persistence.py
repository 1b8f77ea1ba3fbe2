"""The units of work against their contract, over each database, and what is SQLite's own."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import pytest
from hypothesis import given, settings
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.persistence.memory import (
    MemoryApiKeys,
    MemoryCheckpoints,
    MemoryDatabase,
    MemoryTasks,
    MemoryUnitOfWork,
)
from adapters.persistence.memory_clips import MemoryClips
from adapters.persistence.memory_resumables import MemoryResumables
from adapters.persistence.memory_uploads import MemoryUploads
from adapters.persistence.sql import SqlApiKeys, SqlCheckpoints, SqlTasks, SqlUnitOfWork
from adapters.persistence.sql_clips import SqlClips
from adapters.persistence.sql_resumables import SqlResumables
from adapters.persistence.sql_turns import BEFORE_IN_LINE, FOLLOWERS, LENGTHS, LINES, QUEUE_LENGTH
from adapters.persistence.sql_uploads import SqlUploads
from adapters.system import SystemClock
from application.ports.persistence import NewUnitOfWork
from application.ports.task_filter import EVERYTHING, TaskFilter
from domain.access import ApiKey, KeyId, digest, new_secret
from domain.errors import DatabaseUnavailable, StorageFull
from domain.task import OwnerId, Task, TaskId
from domain.turns import AGEING
from infrastructure.database import connect, migrate
from tests import strategies
from tests.builders import NOW, OWNER, a_full_task, a_running_task, a_task, an_api_key
from tests.contracts.clips import ClipRepositoryContract
from tests.contracts.proof import failures
from tests.contracts.resumables import ResumableRepositoryContract
from tests.contracts.suite import Suite
from tests.contracts.unit_of_work import (
    ApiKeyRepositoryContract,
    CheckpointRepositoryContract,
    TaskRepositoryContract,
    UnitOfWorkContract,
)
from tests.contracts.uploads import UploadRepositoryContract
from tests.servers.postgres import PostgresServer


@asynccontextmanager
async def sqlite_engine(folder: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite+aiosqlite:///{folder / 'test.sqlite3'}"
    migrate(url)
    engine = connect(url)
    yield engine
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined] # of the pool that file databases have
    await engine.dispose()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with sqlite_engine(tmp_path) as engine:
        yield engine


class OverSqlite(Suite):
    @pytest.fixture
    def new_uow(self, engine: AsyncEngine) -> NewUnitOfWork:
        return lambda: SqlUnitOfWork(engine)


@asynccontextmanager
async def postgres_engine(server: PostgresServer) -> AsyncIterator[AsyncEngine]:
    with server.database() as url:
        await asyncio.to_thread(migrate, url)
        engine = connect(url)
        yield engine
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined] # as above
        await engine.dispose()


class OverPostgres(Suite):
    @pytest.fixture
    async def new_uow(self, postgres: PostgresServer) -> AsyncIterator[NewUnitOfWork]:
        async with postgres_engine(postgres) as engine:
            yield lambda: SqlUnitOfWork(engine)


class OverMemory(Suite):
    @pytest.fixture
    def new_uow(self) -> NewUnitOfWork:
        database = MemoryDatabase(SystemClock())
        return lambda: MemoryUnitOfWork(database)


class TestSqlUnitOfWork(OverSqlite, UnitOfWorkContract, adapter=SqlUnitOfWork): ...


class TestSqlTasks(OverSqlite, TaskRepositoryContract, adapter=SqlTasks): ...


class TestSqlCheckpoints(OverSqlite, CheckpointRepositoryContract, adapter=SqlCheckpoints): ...


class TestSqlApiKeys(OverSqlite, ApiKeyRepositoryContract, adapter=SqlApiKeys): ...


class TestPostgresUnitOfWork(OverPostgres, UnitOfWorkContract, adapter=SqlUnitOfWork): ...


class TestPostgresTasks(OverPostgres, TaskRepositoryContract, adapter=SqlTasks): ...


class TestPostgresCheckpoints(OverPostgres, CheckpointRepositoryContract, adapter=SqlCheckpoints): ...


class TestPostgresApiKeys(OverPostgres, ApiKeyRepositoryContract, adapter=SqlApiKeys): ...


class TestMemoryUnitOfWork(OverMemory, UnitOfWorkContract, adapter=MemoryUnitOfWork): ...


class TestMemoryTasks(OverMemory, TaskRepositoryContract, adapter=MemoryTasks): ...


class TestMemoryCheckpoints(OverMemory, CheckpointRepositoryContract, adapter=MemoryCheckpoints): ...


class TestMemoryApiKeys(OverMemory, ApiKeyRepositoryContract, adapter=MemoryApiKeys): ...


class TestSqlUploads(OverSqlite, UploadRepositoryContract, adapter=SqlUploads): ...


class TestPostgresUploads(OverPostgres, UploadRepositoryContract, adapter=SqlUploads): ...


class TestMemoryUploads(OverMemory, UploadRepositoryContract, adapter=MemoryUploads): ...


class TestSqlClips(OverSqlite, ClipRepositoryContract, adapter=SqlClips): ...


class TestPostgresClips(OverPostgres, ClipRepositoryContract, adapter=SqlClips): ...


class TestMemoryClips(OverMemory, ClipRepositoryContract, adapter=MemoryClips): ...


class TestSqlResumables(OverSqlite, ResumableRepositoryContract, adapter=SqlResumables): ...


class TestPostgresResumables(OverPostgres, ResumableRepositoryContract, adapter=SqlResumables): ...


class TestMemoryResumables(OverMemory, ResumableRepositoryContract, adapter=MemoryResumables): ...


def test_strategies_and_full_task_leave_no_field_out() -> None:
    assert set(strategies.TASK_FIELDS) == {field.name for field in fields(Task)}
    assert set(strategies.API_KEY_FIELDS) == {field.name for field in fields(ApiKey)}
    plain, full = a_task(), a_full_task()
    kept = {field.name for field in fields(Task) if getattr(plain, field.name) == getattr(full, field.name)}
    assert kept == {"owner", "created_at"}


class Session:
    """An event loop and units of work that outlive one example of a property."""

    def __init__(self, runner: asyncio.Runner, new_uow: NewUnitOfWork) -> None:
        self._runner = runner
        self._new_uow = new_uow

    def task_round_trip(self, added: Task, saved: Task) -> tuple[Task | None, Task | None]:
        async def there_and_back() -> tuple[Task | None, Task | None]:
            async with self._new_uow() as uow:
                await uow.tasks.add(added)
                first = await uow.tasks.get(added.id)
                await uow.tasks.save(saved)
                return first, await uow.tasks.get(saved.id)

        return self._runner.run(there_and_back())

    def key_round_trip(self, key: ApiKey) -> tuple[ApiKey | None, ApiKey | None]:
        async def there_and_back() -> tuple[ApiKey | None, ApiKey | None]:
            async with self._new_uow() as uow:
                await uow.api_keys.add(key)
                return await uow.api_keys.get(key.id), await uow.api_keys.by_digest(key.digest)

        return self._runner.run(there_and_back())


@pytest.fixture(scope="module", params=["sqlite", "postgres", "memory"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with asyncio.Runner() as runner:
        if request.param == "memory":
            database = MemoryDatabase(SystemClock())
            yield Session(runner, lambda: MemoryUnitOfWork(database))
        else:
            server: PostgresServer | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
            opening = postgres_engine(server) if server else sqlite_engine(tmp_path_factory.mktemp("database"))
            engine = runner.run(opening.__aenter__())
            yield Session(runner, lambda: SqlUnitOfWork(engine))
            runner.run(opening.__aexit__(None, None, None))


@settings(deadline=None, max_examples=100)
@given(added=strategies.tasks, saved=strategies.tasks)
def test_any_task_comes_back_field_by_field(session: Session, added: Task, saved: Task) -> None:
    saved.id, saved.version = added.id, added.version
    first, second = session.task_round_trip(added, saved)
    assert first == added
    assert second == saved
    assert saved.version == added.version + 1


@settings(deadline=None, max_examples=50)
@given(key=strategies.api_keys)
def test_any_api_key_comes_back_field_by_field(session: Session, key: ApiKey) -> None:
    assert session.key_round_trip(key) == (key, key)


async def test_a_naive_instant_is_refused(engine: AsyncEngine) -> None:
    async with SqlUnitOfWork(engine) as uow:
        with pytest.raises(StatementError, match="time zone"):
            await uow.tasks.add(a_task(run_after=NOW.replace(tzinfo=None)))


def modes(folder: Path) -> list[int]:
    return [file.stat().st_mode & 0o777 for file in folder.iterdir()]


async def test_an_error_of_the_database_shows_no_stored_value(engine: AsyncEngine) -> None:
    task = replace(a_full_task(), language="said in confidence")
    async with SqlUnitOfWork(engine) as uow:
        await uow.tasks.add(task)
        with pytest.raises(IntegrityError) as refused:
            await uow.tasks.add(task)
    assert "confidence" not in str(refused.value)


async def test_sqlite_is_set_up_for_durability_and_privacy(engine: AsyncEngine, tmp_path: Path) -> None:
    async with engine.connect() as connection:
        for pragma, value in {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "secure_delete": 1,
            "busy_timeout": 30_000,
        }.items():
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar_one() == value, pragma
    assert modes(tmp_path) == [0o600, 0o600, 0o600]


async def test_a_full_disk_is_told_and_changes_nothing(engine: AsyncEngine) -> None:
    task = a_running_task()
    async with SqlUnitOfWork(engine) as uow:
        await uow.tasks.add(task)
        await uow.commit()
        await uow._transaction.run(text("PRAGMA max_page_count = 1"))  # SQLite's own way to have a small disk
    lost = a_task()

    async def write() -> None:
        async with SqlUnitOfWork(engine) as uow:
            await uow.tasks.add(lost)
            await uow.checkpoints.put(task.id, "1", token=1, payload=bytes(1_000_000))
            await uow.commit()

    with pytest.raises(StorageFull):
        await write()
    async with SqlUnitOfWork(engine) as uow:
        await uow._transaction.run(text("PRAGMA max_page_count = 100000"))
        assert await uow.checkpoints.all(task.id) == {}
        assert await uow.tasks.get(lost.id) is None
        await uow.tasks.add(lost)
        await uow.commit()


async def test_a_file_that_another_process_keeps_is_away_for_now(engine: AsyncEngine) -> None:
    task = a_task()
    async with SqlUnitOfWork(engine) as uow:
        await uow.tasks.add(task)
        await uow.commit()
        await uow._transaction.run(text("PRAGMA busy_timeout = 100"))
        (file,) = [row.file for row in await uow._transaction.run(text("PRAGMA database_list"))]
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(DatabaseUnavailable):
            async with SqlUnitOfWork(engine) as uow:
                await uow.tasks.delete(task.id)
    finally:
        other.close()
    async with SqlUnitOfWork(engine) as uow:
        assert await uow.tasks.get(task.id) == task


async def test_searches_use_their_indexes(engine: AsyncEngine) -> None:
    plans: list[str] = []
    async with SqlUnitOfWork(engine) as uow:
        connection = uow._transaction._connection
        for search in (
            "SELECT id FROM tasks WHERE lease_until IS NOT NULL ORDER BY lease_until",
            "SELECT id FROM tasks WHERE lease_until <= '2026' ORDER BY lease_until",
            "SELECT * FROM tasks WHERE owner = 'a' AND id < 'b' ORDER BY id DESC LIMIT 9",
            "SELECT * FROM api_keys WHERE digest = 'a'",
        ):
            plan = await connection.execute(text(f"EXPLAIN QUERY PLAN {search}"))
            plans.append(" / ".join(row.detail for row in plan))
    assert [plan for plan in plans if "INDEX ix_" not in plan or "TEMP B-TREE" in plan] == []


async def test_whose_turn_it_is_is_found_without_walking_through_the_table(engine: AsyncEngine) -> None:
    steps: list[str] = []
    async with engine.connect() as connection:
        for search in (LINES, FOLLOWERS, LENGTHS, BEFORE_IN_LINE, QUEUE_LENGTH):
            statement = re.sub(
                r"IN \(__\[\w+\]\)|:[a-z_]+", lambda name: "IN ('a')" if "IN" in name[0] else "1", str(search)
            )
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
            steps += [row.detail for row in plan]
    reads = [
        step for step in steps if step.startswith(("SCAN tasks", "SEARCH tasks", "SEARCH n", "SEARCH t", "SEARCH r"))
    ]
    assert len(reads) > 9
    assert [step for step in reads if "INDEX" not in step or "ix_tasks_page" in step] == []


async def test_a_storm_of_cancellations_leaves_the_one_connection_whole(engine: AsyncEngine) -> None:
    opened: list[object] = []
    committed: set[TaskId] = set()
    event.listen(engine.sync_engine, "connect", lambda connection, _: opened.append(connection))

    async def write() -> None:
        task = a_task()
        async with SqlUnitOfWork(engine) as uow:
            await uow.tasks.add(task)
            await uow.commit()
        committed.add(task.id)

    for number in range(40):
        writers = [asyncio.create_task(write()) for _ in range(6)]
        await asyncio.sleep(number * 0.0004)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
    async with SqlUnitOfWork(engine) as uow:
        there = {task.id for task in await uow.tasks.page(OWNER, before=None, limit=1000)}
    assert committed <= there
    assert 0 < len(there) < 240, "some were cut off, some were not"
    assert len(opened) == 1


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_a03_the_database_holds_no_usable_key(tmp_path: Path) -> None:
    secret = new_secret()

    async def issue() -> bytes:
        async with sqlite_engine(tmp_path) as engine:
            async with SqlUnitOfWork(engine) as uow:
                await uow.api_keys.add(an_api_key(digest=digest(secret), hint=secret[:7]))
                await uow.commit()
            written = contents(tmp_path)
        return written + contents(tmp_path)

    written = asyncio.run(issue())
    assert digest(secret).encode() in written
    assert secret[7:].encode() not in written
    assert secret[7:19].encode() not in written


class DropsLanguage(MemoryTasks):
    async def add(self, task: Task) -> None:
        await super().add(replace(task, language=None))


class KeepsLiveObjects(MemoryTasks):
    live: ClassVar[dict[TaskId, Task]] = {}

    async def add(self, task: Task) -> None:
        self.live[task.id] = task
        await super().add(task)

    async def get(self, task_id: TaskId) -> Task | None:
        return self.live.get(task_id)


class LetsStaleWritesWin(MemoryTasks):
    async def save(self, task: Task) -> None:
        await self.add(replace(task, version=task.version + 1))
        task.version += 1


class LeavesCheckpointsBehind(MemoryTasks):
    async def delete(self, task_id: TaskId) -> None:
        self._rows.tasks.pop(task_id, None)


class PagesForwards(MemoryTasks):
    async def page(
        self, owner: OwnerId, *, before: TaskId | None, limit: int, only: TaskFilter = EVERYTHING
    ) -> Sequence[Task]:
        return sorted(await super().page(owner, before=before, limit=limit, only=only), key=lambda task: task.id)


class ShowsOthersTasks(MemoryTasks):
    async def page(
        self,
        owner: OwnerId,  # noqa: ARG002
        *,
        before: TaskId | None,
        limit: int,
        only: TaskFilter = EVERYTHING,  # noqa: ARG002
    ) -> Sequence[Task]:
        older = [task for task in self._all() if before is None or task.id < before]
        return sorted(older, key=lambda task: task.id, reverse=True)[:limit]


class RunsTooEarly(MemoryTasks):
    async def due(self, *, now: datetime, limit: int, claiming: bool = False) -> Sequence[TaskId]:
        return await super().due(now=now + AGEING, limit=limit, claiming=claiming)


class ForgetsTurns(MemoryTasks):
    async def take_turn(self, task: Task) -> None: ...


class ForgetsPriority(MemoryTasks):
    async def add(self, task: Task) -> None:
        await super().add(replace(task, priority=0))


class CountsWhatRuns(MemoryTasks):
    async def queue_length(self, owner: OwnerId, *, hold: bool = False) -> tuple[int, int]:
        every, own = await super().queue_length(owner, hold=hold)
        return every + len(await self.leased()), own


class ExpiresEverything(MemoryTasks):
    async def leased(self, *, expired_by: datetime | None = None) -> Sequence[TaskId]:  # noqa: ARG002
        return await super().leased()


class CountsItself(MemoryTasks):
    async def position(self, task: Task) -> int:
        return await super().position(task) + 1


class NaiveClock(MemoryTasks):
    async def now(self) -> datetime:
        return (await super().now()).replace(tzinfo=None)


class IgnoresTokens(MemoryCheckpoints):
    async def put(self, task_id: TaskId, name: str, *, token: int, payload: bytes) -> None:  # noqa: ARG002
        self._rows.checkpoints[task_id, name] = payload


class KeepsTheFirstPart(MemoryCheckpoints):
    async def put(self, task_id: TaskId, name: str, *, token: int, payload: bytes) -> None:
        if name not in await self.all(task_id):
            await super().put(task_id, name, token=token, payload=payload)


class ClearsEverybody(MemoryCheckpoints):
    async def clear(self, task_id: TaskId) -> None:  # noqa: ARG002
        self._rows.checkpoints.clear()


class HidesRevokedKeys(MemoryApiKeys):
    async def by_digest(self, digest: str) -> ApiKey | None:
        key = await super().by_digest(digest)
        return key if key and key.revoked_at is None else None


class KeepsTheFirstKey(MemoryApiKeys):
    async def add(self, key: ApiKey) -> None:
        if await self.get(key.id) is None:
            await super().add(key)


class WritesItAllForAUse(MemoryApiKeys):
    async def used(self, key_id: KeyId, *, at: datetime) -> None:
        if key := await self.get(key_id):
            await self.add(replace(key, last_used_at=at, expires_at=None))


class TakesRevocationsBack(MemoryApiKeys):
    async def add(self, key: ApiKey) -> None:
        self._rows.api_keys.pop(key.id, None)
        await super().add(key)


class ListsKeysBackwards(MemoryApiKeys):
    async def all(self) -> Sequence[ApiKey]:
        return (await super().all())[::-1]


class CommitsAnyway(MemoryUnitOfWork):
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.commit()
        await super().__aexit__(kind, error, trace)


class NeverCommits(MemoryUnitOfWork):
    async def commit(self) -> None:
        pass


class SwallowsErrors(MemoryUnitOfWork):
    async def __aexit__(  # type: ignore[override] # broken on purpose
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        await super().__aexit__(kind, error, trace)
        return True


class LeaksItsTurnWhenCancelled(MemoryUnitOfWork):
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not asyncio.CancelledError:
            await super().__aexit__(kind, error, trace)


def broken(
    unit: type[MemoryUnitOfWork] = MemoryUnitOfWork,
    *,
    tasks: type[MemoryTasks] = MemoryTasks,
    checkpoints: type[MemoryCheckpoints] = MemoryCheckpoints,
    api_keys: type[MemoryApiKeys] = MemoryApiKeys,
) -> Callable[[], NewUnitOfWork]:
    class Broken(unit):  # type: ignore[misc, valid-type] # a base that is chosen at run time
        async def __aenter__(self) -> Self:
            await super().__aenter__()
            self.tasks = tasks(self._rows, self._database.clock)
            self.checkpoints = checkpoints(self._rows, self.tasks)
            self.api_keys = api_keys(self._rows)
            return self

    def over_an_empty_database() -> NewUnitOfWork:
        database = MemoryDatabase(SystemClock())
        return lambda: Broken(database)

    return over_an_empty_database


async def test_the_contracts_pass_what_is_whole() -> None:
    for suite in (UnitOfWorkContract, TaskRepositoryContract, CheckpointRepositoryContract, ApiKeyRepositoryContract):
        assert await failures(suite, new_uow=broken()) == set()


@pytest.mark.parametrize(
    ("tasks", "caught_by"),
    [
        (DropsLanguage, "test_every_field_comes_back"),
        (KeepsLiveObjects, "test_what_is_read_is_a_copy"),
        (LetsStaleWritesWin, "test_a_stale_copy_is_refused"),
        (LetsStaleWritesWin, "test_a_task_that_is_gone_cannot_be_saved"),
        (LeavesCheckpointsBehind, "test_deleting_takes_the_checkpoints_along"),
        (PagesForwards, "test_pages_run_from_the_newest_back"),
        (ShowsOthersTasks, "test_pages_run_from_the_newest_back"),
        (RunsTooEarly, "test_due_are_queued_tasks_whose_time_has_come"),
        (ForgetsTurns, "test_a_turn_that_was_taken_puts_the_owner_behind"),
        (ForgetsPriority, "test_due_come_by_priority_then_owner_in_turn_then_age"),
        (CountsWhatRuns, "test_the_queue_is_counted_for_all_and_for_one"),
        (ExpiresEverything, "test_leased_are_all_or_the_expired"),
        (CountsItself, "test_position_counts_the_queued_before"),
        (NaiveClock, "test_the_clock_is_aware_and_right"),
    ],
)
async def test_the_task_contract_catches(tasks: type[MemoryTasks], caught_by: str) -> None:
    assert await failures(TaskRepositoryContract, caught_by, new_uow=broken(tasks=tasks))


@pytest.mark.parametrize(
    ("checkpoints", "caught_by"),
    [
        (IgnoresTokens, "test_only_the_lease_holder_may_write"),
        (KeepsTheFirstPart, "test_parts_come_back_by_name"),
        (ClearsEverybody, "test_clearing_removes_those_of_the_task_alone"),
    ],
)
async def test_the_checkpoint_contract_catches(checkpoints: type[MemoryCheckpoints], caught_by: str) -> None:
    assert await failures(CheckpointRepositoryContract, caught_by, new_uow=broken(checkpoints=checkpoints))


@pytest.mark.parametrize(
    ("api_keys", "caught_by"),
    [
        (HidesRevokedKeys, "test_keys_are_found_by_digest_and_by_id"),
        (KeepsTheFirstKey, "test_adding_again_replaces"),
        (WritesItAllForAUse, "test_a_use_is_noted_and_nothing_else_changes"),
        (TakesRevocationsBack, "test_what_is_revoked_stays_so"),
        (ListsKeysBackwards, "test_all_come_oldest_first"),
    ],
)
async def test_the_key_contract_catches(api_keys: type[MemoryApiKeys], caught_by: str) -> None:
    assert await failures(ApiKeyRepositoryContract, caught_by, new_uow=broken(api_keys=api_keys))


@pytest.mark.parametrize(
    ("unit", "caught_by"),
    [
        (CommitsAnyway, "test_leaving_without_commit_rolls_back"),
        (NeverCommits, "test_what_was_committed_is_there"),
        (SwallowsErrors, "test_an_error_rolls_back_and_passes"),
        (LeaksItsTurnWhenCancelled, "test_a_cancelled_unit_rolls_back_and_blocks_nobody"),
    ],
)
async def test_the_transaction_contract_catches(unit: type[MemoryUnitOfWork], caught_by: str) -> None:
    assert await failures(UnitOfWorkContract, caught_by, new_uow=broken(unit))


async def test_the_transaction_contract_catches_two_winners() -> None:
    new_uow = broken(tasks=LetsStaleWritesWin)
    assert await failures(UnitOfWorkContract, "test_of_many_claims_one_wins", new_uow=new_uow)
