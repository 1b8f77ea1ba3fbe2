"""Units of work over an SQL database, with one code path for all of them; no session, no mapped classes.

A task is claimed by comparing its version in the UPDATE, never by row locks, which SQLite does not have.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from sqlalchemy import CursorResult, Executable, LargeBinary, Row, Uuid, bindparam, func, select, text
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.persistence import sql_turns, tables
from adapters.persistence.rows import api_key_from_row, api_key_to_row, task_from_row, task_to_row
from adapters.persistence.sql_audit import SqlAudit
from adapters.persistence.sql_batches import SqlBatches
from adapters.persistence.sql_census import SqlCensus
from adapters.persistence.sql_clips import SqlClips
from adapters.persistence.sql_deletions import SqlChores, SqlDeletions, SqlKeeping
from adapters.persistence.sql_idempotency import SqlIdempotency
from adapters.persistence.sql_paces import SqlPaces
from adapters.persistence.sql_pages import newest_of, page_of
from adapters.persistence.sql_resumables import SqlResumables
from adapters.persistence.sql_revisions import SqlEdits, SqlRevisions
from adapters.persistence.sql_sealed import SealedCheckpoints, SealedTranscriptTexts
from adapters.persistence.sql_search import SqlTranscriptTexts
from adapters.persistence.sql_uploads import SqlUploads
from adapters.persistence.sql_usage import SqlUsage
from adapters.persistence.sql_users import SqlSessions, SqlUsers
from adapters.persistence.sql_vault import SqlVaultKeys
from adapters.persistence.sql_webhooks import SqlDeliveries, SqlWebhooks
from adapters.persistence.tables import database_now
from adapters.persistence.tables_native import task_tags
from adapters.uninterrupted import uninterrupted
from application.ports.persistence import (
    ApiKeyRepository,
    CheckpointRepository,
    StaleTask,
    TaskRepository,
    UnitOfWork,
)
from application.ports.search import TranscriptTexts
from application.ports.task_filter import EVERYTHING, TaskFilter
from application.ports.vault import Vault
from domain.access import ApiKey, KeyId
from domain.errors import DatabaseUnavailable, LeaseLost, StorageFull
from domain.task import OwnerId, Task, TaskId
from domain.turns import Line, claim_order, tasks_before, waiting_since

_tasks, _checkpoints, _api_keys = tables.tasks, tables.checkpoints, tables.api_keys

_POSTGRES_FULL = "53100"
_SQLITE_AWAY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
"""Another process has the file for too long, or the disk below it does not answer."""
_RIVALS = (16, 256)
"""Workers who may claim at the same instant without getting in one another's way; the few cost less to lay out."""

_PUT_CHECKPOINT = text(
    "INSERT INTO checkpoints (task_id, name, payload)"
    " SELECT id, :name, :payload FROM tasks WHERE id = :task_id AND lease_token = :token"
    " ON CONFLICT (task_id, name) DO UPDATE SET payload = excluded.payload"
).bindparams(bindparam("task_id", type_=Uuid), bindparam("payload", type_=LargeBinary))


class _Transaction:
    """A connection whose steps are never left half done, with the database's errors in the ports' words."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.dialect = connection.dialect.name

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
        try:
            await uninterrupted(self._connection.close())
        except SQLAlchemyError:  # nothing is left to roll back where the server is gone, and what was read was read
            await uninterrupted(self._connection.close())


def _translated(error: SQLAlchemyError) -> Exception:
    """Put a database's error into the ports' words; what is a mistake of ours stays as it is."""
    driver = getattr(error, "orig", None)
    state = getattr(driver, "sqlstate", None)
    code = getattr(driver, "sqlite_errorcode", 0) & 0xFF  # what is above says more than is needed
    if state == _POSTGRES_FULL or code == sqlite3.SQLITE_FULL:
        return StorageFull("there is no room left for the database")
    # Of psycopg's errors these are what a server that is away, restarting or overloaded causes.
    gone = isinstance(error, OperationalError | InterfaceError) and hasattr(driver, "sqlstate")
    away = gone or code in _SQLITE_AWAY
    return DatabaseUnavailable("the database does not answer") if away or isinstance(error, NoConnection) else error


def _line(row: Row[Any], oldest: datetime) -> Line:
    return Line(
        priority=row.priority, owner=row.owner, running=row.running, served_at=row.served_at, oldest=oldest
    )  # fmt: skip


class SqlTasks(TaskRepository):
    """Tasks in their table."""

    def __init__(self, transaction: _Transaction) -> None:
        self._run = transaction.run
        self._dialect = transaction.dialect
        self._tags: dict[TaskId, tuple[str, ...]] = {}
        """Those that this unit has seen stored."""

    async def add(self, task: Task) -> None:
        """Store a new task."""
        await self._run(_tasks.insert().values(task_to_row(task)))
        self._tags[task.id] = ()
        await self._tag(task)

    async def get(self, task_id: TaskId) -> Task | None:
        """Return the task, or None."""
        row = (await self._run(select(_tasks).where(_tasks.c.id == task_id))).one_or_none()
        if row is None:
            return None
        task = task_from_row(row)
        self._tags[task.id] = task.tags
        return task

    async def many(self, task_ids: Collection[TaskId]) -> Mapping[TaskId, Task]:
        """Return those that there are."""
        rows = await self._run(select(_tasks).where(_tasks.c.id.in_(list(task_ids))))
        return {task.id: task for task in map(task_from_row, rows)}

    async def save(self, task: Task) -> None:
        """Store a change over the version that was read."""
        current = (_tasks.c.id == task.id) & (_tasks.c.version == task.version)
        values = task_to_row(task) | {"version": task.version + 1}
        if (await self._run(_tasks.update().where(current).values(values))).rowcount == 0:
            raise StaleTask(f"task {task.id} is no longer at version {task.version}")
        task.version += 1
        await self._tag(task)

    async def _tag(self, task: Task) -> None:
        """Write the tags into their table, unless they are known to be there."""
        if self._tags.get(task.id) == task.tags:
            return
        await self._run(task_tags.delete().where(task_tags.c.task_id == task.id))
        for tag in task.tags:
            await self._run(task_tags.insert().values(owner=task.owner, tag=tag, task_id=task.id))
        self._tags[task.id] = task.tags

    async def delete(self, task_id: TaskId) -> None:
        """Remove the task; its checkpoints go by the foreign key."""
        await self._run(_tasks.delete().where(_tasks.c.id == task_id))

    async def page(
        self, owner: OwnerId, *, before: TaskId | None, limit: int, only: TaskFilter = EVERYTHING
    ) -> Sequence[Task]:
        """Return the owner's tasks that pass, from the end that was asked for."""
        return [task_from_row(row) for row in await self._run(page_of(owner, only, before=before, limit=limit))]

    async def same(self, owner: OwnerId, content: str) -> Task | None:
        """Look along the index of contents."""
        row = (await self._run(newest_of(owner, content))).one_or_none()
        return None if row is None else task_from_row(row)

    async def due(self, *, now: datetime, limit: int, claiming: bool = False) -> Sequence[TaskId]:
        """Return queued tasks whose time has come; SQLite has one transaction at a time, so nobody else is claiming."""
        if not claiming or self._dialect != "postgresql":
            return await self._due(now, limit)
        for rivals in _RIVALS:
            order = await self._due(now, max(limit, rivals))
            free = (await self._run(sql_turns.FIRST_FREE, {"ids": order})).scalar_one_or_none() if order else None
            if free:
                return order[order.index(free) :][:limit]
            if len(order) < rivals:
                break
        # All are being claimed. Who waited for one of those claims would wait for all that wait for it, too: fifty at
        # once take seconds, and the last ones longer than a lock may take.
        return ()

    async def _due(self, now: datetime, limit: int) -> list[TaskId]:
        rows = (await self._run(sql_turns.LINES, {"now": now})).all()
        served = {row.priority: row.priority_served_at for row in rows if row.priority_served_at}
        lines = {(row.priority, row.owner): _line(row, row.run_after) for row in rows}
        since = waiting_since(lines.values(), served)
        heads = [(lines[row.priority, row.owner], [(row.run_after, TaskId(row.id))]) for row in rows]
        first = claim_order(heads, since=since, now=now, limit=limit)
        if len(first) == 1 == limit or not first:
            return first
        # Only the lines whose heads are among the first can have more of the first ones.
        chains: dict[tuple[int, UUID], list[tuple[datetime, TaskId]]] = {}
        for row in await self._run(sql_turns.FOLLOWERS, {"heads": first, "now": now, "most": limit}):
            chains.setdefault((row.priority, row.owner), []).append((row.run_after, TaskId(row.id)))
        return claim_order([(lines[key], chains[key]) for key in chains], since=since, now=now, limit=limit)

    async def take_turn(self, task: Task) -> None:
        """Note the line's turn."""
        turn = {"priority": task.priority, "owner": task.owner, "at": task.updated_at}
        await self._run(sql_turns.TAKE_TURN[self._dialect], turn)

    async def queue_length(self, owner: OwnerId, *, hold: bool = False) -> tuple[int, int]:
        """Count the queued tasks; SQLite has one transaction at a time anyway."""
        if hold and self._dialect == "postgresql":
            await self._run(sql_turns.HOLD_QUEUE)
        row = (await self._run(sql_turns.QUEUE_LENGTH, {"owner": owner})).one()
        return row.every, row.own

    async def leased(self, *, expired_by: datetime | None = None) -> Sequence[TaskId]:
        """Return tasks under a lease, or those whose lease ran out."""
        leased = _tasks.c.lease_until.is_not(None) if expired_by is None else _tasks.c.lease_until <= expired_by
        order = select(_tasks.c.id).where(leased).order_by(_tasks.c.lease_until)
        return [TaskId(row.id) for row in await self._run(order)]

    async def position(self, task: Task) -> int:
        """Count the due tasks before this one."""
        place = {"priority": task.priority, "owner": task.owner, "run_after": task.run_after, "id": task.id}
        before_in_line = int((await self._run(sql_turns.BEFORE_IN_LINE, place)).scalar_one())
        values = {"priority": task.priority, "by": max(task.run_after, await self.now())}
        lines = [(_line(row, row.oldest), row.length) for row in await self._run(sql_turns.LENGTHS, values)]
        return tasks_before(task, before_in_line, lines)

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
        revoked = func.coalesce(_api_keys.c.revoked_at, key.revoked_at)
        change = _api_keys.update().where(_api_keys.c.id == key.id).values(values | {"revoked_at": revoked})
        if (await self._run(change)).rowcount == 0:
            await self._run(_api_keys.insert().values(values))

    async def used(self, key_id: KeyId, *, at: datetime) -> None:
        """Note the use."""
        await self._run(_api_keys.update().where(_api_keys.c.id == key_id).values(last_used_at=at))

    async def by_digest(self, digest: str) -> ApiKey | None:
        """Find a key by its digest."""
        row = (await self._run(select(_api_keys).where(_api_keys.c.digest == digest))).one_or_none()
        return None if row is None else api_key_from_row(row)

    async def by_digests(self, digests: Collection[str]) -> Mapping[str, ApiKey]:
        """Find keys by their digests."""
        rows = await self._run(select(_api_keys).where(_api_keys.c.digest.in_(list(digests))))
        return {key.digest: key for key in map(api_key_from_row, rows)}

    async def get(self, key_id: UUID, *, hold: bool = False) -> ApiKey | None:
        """Return the key, or None; SQLite has one transaction at a time anyway."""
        query = select(_api_keys).where(_api_keys.c.id == key_id)
        row = (await self._run(query.with_for_update() if hold else query)).one_or_none()
        return None if row is None else api_key_from_row(row)

    async def all(self) -> Sequence[ApiKey]:
        """Return every key, oldest first."""
        oldest_first = select(_api_keys).order_by(_api_keys.c.created_at, _api_keys.c.id)
        return [api_key_from_row(row) for row in await self._run(oldest_first)]


class SqlUnitOfWork(UnitOfWork):
    """One transaction on a connection of the engine's pool; what was said is sealed where there is a vault."""

    def __init__(self, engine: AsyncEngine, vault: Vault | None = None) -> None:
        self._engine = engine
        self._vault = vault

    async def __aenter__(self) -> Self:
        """Take a connection; the transaction begins with the first statement."""
        try:
            self._transaction = _Transaction(await self._engine.connect())
        except SQLAlchemyError as error:
            raise _translated(error) from error
        self.tasks = SqlTasks(self._transaction)
        self.checkpoints: CheckpointRepository = SqlCheckpoints(self._transaction)
        self.api_keys = SqlApiKeys(self._transaction)
        self.uploads = SqlUploads(self._transaction.run)
        self.resumables = SqlResumables(self._transaction.run)
        self.clips = SqlClips(self._transaction.run)
        self.users = SqlUsers(self._transaction.run, self._transaction.dialect)
        self.sessions = SqlSessions(self._transaction.run)
        self.idempotency = SqlIdempotency(self._transaction.run)
        self.batches = SqlBatches(self._transaction.run)
        self.deletions = SqlDeletions(self._transaction.run)
        self.keeping = SqlKeeping(self._transaction.run)
        self.chores = SqlChores(self._transaction.run)
        self.usage = SqlUsage(self._transaction.run)
        self.webhooks = SqlWebhooks(self._transaction.run)
        self.deliveries = SqlDeliveries(self._transaction.run)
        self.paces = SqlPaces(self._transaction.run)
        self.census = SqlCensus(self._transaction.run)
        self.revisions = SqlRevisions(self._transaction.run)
        self.edits = SqlEdits(self._transaction.run)
        self.texts: TranscriptTexts = SqlTranscriptTexts(self._transaction.run, self._transaction.dialect)
        self.vault_keys = SqlVaultKeys(self._transaction.run)
        self.audit = SqlAudit(self._transaction.run)
        if self._vault is not None:
            self.checkpoints = SealedCheckpoints(self.checkpoints, self._vault, self.vault_keys)
            self.texts = SealedTranscriptTexts(self._transaction.run, self._vault, self.vault_keys)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Roll back what was not committed and give the connection back."""
        await self._transaction.close()

    async def commit(self) -> None:
        """Make the changes durable."""
        await self._transaction.commit()
