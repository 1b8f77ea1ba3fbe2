"""Units of work over an SQL database, with one code path for all of them; no session, no mapped classes.

A task is claimed by comparing its version in the UPDATE, never by row locks, which SQLite does not have.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from sqlalchemy import CursorResult, Executable, LargeBinary, Uuid, bindparam, func, select, text, tuple_
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.persistence import tables
from adapters.persistence.rows import api_key_from_row, api_key_to_row, task_from_row, task_to_row
from adapters.persistence.tables import database_now
from adapters.uninterrupted import uninterrupted
from application.ports.persistence import (
    ApiKeyRepository,
    CheckpointRepository,
    StaleTask,
    TaskRepository,
    UnitOfWork,
)
from domain.access import ApiKey
from domain.errors import DatabaseUnavailable, LeaseLost, StorageFull
from domain.task import OwnerId, Task, TaskId, TaskStatus

_tasks, _checkpoints, _api_keys = tables.tasks, tables.checkpoints, tables.api_keys

_POSTGRES_FULL = "53100"

_PUT_CHECKPOINT = text(
    "INSERT INTO checkpoints (task_id, name, payload)"
    " SELECT id, :name, :payload FROM tasks WHERE id = :task_id AND lease_token = :token"
    " ON CONFLICT (task_id, name) DO UPDATE SET payload = excluded.payload"
).bindparams(bindparam("task_id", type_=Uuid), bindparam("payload", type_=LargeBinary))


class _Transaction:
    """A connection whose steps are never left half done, with the database's errors in the ports' words."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def run(self, statement: Executable, values: dict[str, Any] | None = None) -> CursorResult[Any]:
        try:
            return await uninterrupted(self._connection.execute(statement, values))
        except SQLAlchemyError as error:
            raise _translated(error) from error

    async def commit(self) -> None:
        try:
            await uninterrupted(self._connection.commit())
        except SQLAlchemyError as error:
            raise _translated(error) from error

    async def close(self) -> None:
        await uninterrupted(self._connection.close())


def _translated(error: SQLAlchemyError) -> Exception:
    """Put a database's error into the ports' words; what is a mistake of ours stays as it is."""
    driver = getattr(error, "orig", None)
    state = getattr(driver, "sqlstate", None)
    if state == _POSTGRES_FULL or getattr(driver, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StorageFull("there is no room left for the database")
    # Of psycopg's errors these are what a server that is away, restarting or overloaded causes.
    away = isinstance(error, OperationalError | InterfaceError) and hasattr(driver, "sqlstate")
    return DatabaseUnavailable("the database does not answer") if away or isinstance(error, NoConnection) else error


class SqlTasks(TaskRepository):
    """Tasks in their table."""

    def __init__(self, transaction: _Transaction) -> None:
        self._run = transaction.run

    async def add(self, task: Task) -> None:
        """Store a new task."""
        await self._run(_tasks.insert().values(task_to_row(task)))

    async def get(self, task_id: TaskId) -> Task | None:
        """Return the task, or None."""
        row = (await self._run(select(_tasks).where(_tasks.c.id == task_id))).one_or_none()
        return None if row is None else task_from_row(row)

    async def save(self, task: Task) -> None:
        """Store a change over the version that was read."""
        current = (_tasks.c.id == task.id) & (_tasks.c.version == task.version)
        values = task_to_row(task) | {"version": task.version + 1}
        if (await self._run(_tasks.update().where(current).values(values))).rowcount == 0:
            raise StaleTask(f"task {task.id} is no longer at version {task.version}")
        task.version += 1

    async def delete(self, task_id: TaskId) -> None:
        """Remove the task; its checkpoints go by the foreign key."""
        await self._run(_tasks.delete().where(_tasks.c.id == task_id))

    async def page(self, owner: OwnerId, *, before: TaskId | None, limit: int) -> Sequence[Task]:
        """Return the owner's tasks, newest first."""
        page = select(_tasks).where(_tasks.c.owner == owner).order_by(_tasks.c.id.desc()).limit(limit)
        if before is not None:
            page = page.where(_tasks.c.id < before)
        return [task_from_row(row) for row in await self._run(page)]

    async def due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return queued tasks whose time has come."""
        due = (_tasks.c.status == TaskStatus.QUEUED.value) & (_tasks.c.run_after <= now)
        order = select(_tasks.c.id).where(due).order_by(_tasks.c.run_after, _tasks.c.id).limit(limit)
        return [TaskId(row.id) for row in await self._run(order)]

    async def leased(self, *, expired_by: datetime | None = None) -> Sequence[TaskId]:
        """Return tasks under a lease, or those whose lease ran out."""
        leased = _tasks.c.lease_until.is_not(None) if expired_by is None else _tasks.c.lease_until <= expired_by
        order = select(_tasks.c.id).where(leased).order_by(_tasks.c.lease_until)
        return [TaskId(row.id) for row in await self._run(order)]

    async def position(self, task: Task) -> int:
        """Count the queued tasks before this one."""
        before = tuple_(_tasks.c.run_after, _tasks.c.id) < tuple_(
            bindparam(None, task.run_after, _tasks.c.run_after.type), bindparam(None, task.id, _tasks.c.id.type)
        )
        queued = _tasks.c.status == TaskStatus.QUEUED.value
        return int((await self._run(select(func.count()).select_from(_tasks).where(queued & before))).scalar_one())

    async def now(self) -> datetime:
        """Ask the database for the time."""
        now: datetime = (await self._run(select(database_now()))).scalar_one()
        return now


class SqlCheckpoints(CheckpointRepository):
    """Finished parts in their table."""

    def __init__(self, transaction: _Transaction) -> None:
        self._run = transaction.run

    async def put(self, task_id: TaskId, name: str, *, token: int, payload: bytes) -> None:
        """Store a part if the lease is still the token's: one statement, so that no takeover fits in between."""
        values = {"task_id": task_id, "name": name, "payload": payload, "token": token}
        if (await self._run(_PUT_CHECKPOINT, values)).rowcount == 0:
            raise LeaseLost("another worker holds this task now")

    async def all(self, task_id: TaskId) -> dict[str, bytes]:
        """Return every part by name."""
        of_task = select(_checkpoints.c.name, _checkpoints.c.payload).where(_checkpoints.c.task_id == task_id)
        return {row.name: row.payload for row in await self._run(of_task)}

    async def clear(self, task_id: TaskId) -> None:
        """Remove every part."""
        await self._run(_checkpoints.delete().where(_checkpoints.c.task_id == task_id))


class SqlApiKeys(ApiKeyRepository):
    """API keys in their table."""

    def __init__(self, transaction: _Transaction) -> None:
        self._run = transaction.run

    async def add(self, key: ApiKey) -> None:
        """Store a key, new or changed."""
        values = api_key_to_row(key)
        if (await self._run(_api_keys.update().where(_api_keys.c.id == key.id).values(values))).rowcount == 0:
            await self._run(_api_keys.insert().values(values))

    async def by_digest(self, digest: str) -> ApiKey | None:
        """Find a key by its digest."""
        row = (await self._run(select(_api_keys).where(_api_keys.c.digest == digest))).one_or_none()
        return None if row is None else api_key_from_row(row)

    async def get(self, key_id: UUID) -> ApiKey | None:
        """Return the key, or None."""
        row = (await self._run(select(_api_keys).where(_api_keys.c.id == key_id))).one_or_none()
        return None if row is None else api_key_from_row(row)

    async def all(self) -> Sequence[ApiKey]:
        """Return every key, oldest first."""
        oldest_first = select(_api_keys).order_by(_api_keys.c.created_at, _api_keys.c.id)
        return [api_key_from_row(row) for row in await self._run(oldest_first)]


class SqlUnitOfWork(UnitOfWork):
    """One transaction on a connection of the engine's pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __aenter__(self) -> Self:
        """Take a connection; the transaction begins with the first statement."""
        try:
            self._transaction = _Transaction(await self._engine.connect())
        except SQLAlchemyError as error:
            raise _translated(error) from error
        self.tasks = SqlTasks(self._transaction)
        self.checkpoints = SqlCheckpoints(self._transaction)
        self.api_keys = SqlApiKeys(self._transaction)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Roll back what was not committed and give the connection back."""
        await self._transaction.close()

    async def commit(self) -> None:
        """Make the changes durable."""
        await self._transaction.commit()
