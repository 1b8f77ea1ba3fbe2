"""All rows that are worth keeping, out of either database and into either: one JSON object a line, a file a table.

They come out of one snapshot, beside which the service goes on; they go into empty tables, all or none.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec import convert, json
from sqlalchemy import Connection, LargeBinary, Table, Uuid, create_engine, event, func, make_url, select, union
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.persistence import sql as _every_table  # noqa: F401 - with it all of them are in the metadata
from adapters.persistence.sql_sealed import is_sealed
from adapters.persistence.sql_search import SqlTranscriptTexts
from adapters.persistence.tables import UtcDateTime, metadata, tasks
from adapters.persistence.tables_clips import clips
from adapters.persistence.tables_revisions import revisions, transcript_texts
from adapters.persistence.tables_vault import vault_keys
from domain.search import TextPart, terms
from domain.task import TaskId, TaskKind, media_key, transcript_key
from infrastructure.database import blocking_engine

_FLEETING = {"chores", "resumable_uploads", "sessions", "uploads"}
"""When chores are due, who is logged in, and uploads that no task has: their bytes are in no backup either."""
VAULT_KEYS = vault_keys.name
_BATCH = 500
_PARSED = {Uuid: UUID, UtcDateTime: datetime, LargeBinary: bytes}
"""What JSON has no type for."""


class NotEmpty(Exception):
    """The database holds rows already."""


def tables() -> list[Table]:
    """Those that a backup holds, each after the ones that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in _FLEETING]


def dump_rows(url: str, folder: Path) -> tuple[str, dict[str, int]]:
    """Write every table into the folder, and `blobs`, the keys that the rows need; return the schema and the counts."""
    with _snapshot(url) as connection:
        counts = {table.name: _dump(connection, table, folder / f"{table.name}.jsonl") for table in tables()}
        with (folder / "blobs").open("w", encoding="ascii") as file:
            file.writelines(f"{key}\n" for key in _keys(connection))
        schema = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    return str(schema), counts


async def load_rows(engine: AsyncEngine, folder: Path) -> int:
    """Put the rows of such a folder into empty tables; return how many they are.

    Raises:
        NotEmpty: they are not.
    """
    count = 0
    async with engine.connect() as connection:
        await refuse_rows(connection)
        for table in tables():
            rows = _rows(folder / f"{table.name}.jsonl", table)
            if table is transcript_texts:
                count += await _load_texts(connection, rows)
                continue
            while batch := list(islice(rows, _BATCH)):
                await connection.execute(table.insert(), batch)
                count += len(batch)
        await connection.commit()
    return count


def wrapping_keys(folder: Path) -> set[str]:
    """Return the ids of the operator's keys under which such a folder's vault keys are wrapped."""
    return {row["under"] for row in _rows(folder / f"{VAULT_KEYS}.jsonl", vault_keys)}


async def refuse_rows(connection: AsyncConnection) -> None:
    """Make sure that there is nothing which a restore would mix with.

    Raises:
        NotEmpty: a table holds a row.
    """
    for table in tables():
        if (await connection.execute(select(func.count()).select_from(select(table).limit(1).subquery()))).scalar_one():
            raise NotEmpty(f"the database is not empty: {table.name} has rows")


@contextmanager
def _snapshot(url: str) -> Iterator[Connection]:
    """Give a connection that sees one instant, and keeps nobody from writing."""
    postgres = make_url(url).get_backend_name() == "postgresql"
    if postgres:
        engine = blocking_engine(url)
    else:
        # Unlike the service's own it only reads, which needs no turn among the writers.
        engine = create_engine(make_url(url).set(drivername="sqlite"), hide_parameters=True)

        @event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _: object) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA busy_timeout = 30000")
            connection.execute("PRAGMA query_only = ON")

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    try:
        with engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ") if postgres else connection
    finally:
        engine.dispose()


def _dump(connection: Connection, table: Table, file: Path) -> int:
    # Terms are laid out as each database searches them; they are made from the text again.
    columns = [column for column in table.c if column is not transcript_texts.c.terms]
    query = select(*columns).order_by(*table.primary_key.columns).execution_options(yield_per=_BATCH)
    count = 0
    with file.open("wb") as out:
        for row in connection.execute(query):
            out.write(json.encode(dict(row._mapping)) + b"\n")  # noqa: SLF001 - its public name for that
            count += 1
    return count


def _keys(connection: Connection) -> Iterator[str]:
    held = tasks.c.media_purged_at.is_(None) & tasks.c.fetch_url.is_(None)
    named = union(select(tasks.c.media_key).where(held, tasks.c.media_key.is_not(None)), select(clips.c.media_key))
    yield from connection.execute(named.execution_options(yield_per=_BATCH)).scalars()
    for task_id in connection.execute(select(tasks.c.id).where(held, tasks.c.media_key.is_(None))).scalars():
        yield media_key(TaskId(task_id))
    made = tasks.c.kind == TaskKind.TRANSCRIBE.value, tasks.c.revision > 0
    latest = select(tasks.c.id, tasks.c.revision).where(*made)
    numbered = union(latest, select(revisions.c.task_id, revisions.c.number))
    for task_id, number in connection.execute(numbered.execution_options(yield_per=_BATCH)):
        yield transcript_key(TaskId(task_id), number)


def _rows(file: Path, table: Table) -> Iterator[dict[str, Any]]:
    parsed = {column.name: kind for column in table.c if (kind := _PARSED.get(type(column.type)))}
    with file.open("rb") as lines:
        for line in lines:
            row: dict[str, Any] = json.decode(line)
            yield {
                name: convert(value, parsed[name]) if value is not None and name in parsed else value
                for name, value in row.items()
            }


async def _load_texts(connection: AsyncConnection, rows: Iterable[Mapping[str, Any]]) -> int:
    texts, count = SqlTranscriptTexts(connection.execute, connection.dialect.name), 0
    for task_id, group in groupby(rows, key=lambda row: row["task_id"]):
        found = [str(part["text"]) for part in group]
        parts = [TextPart(text, () if is_sealed(text) else terms(text)) for text in found]
        await texts.put(task_id, parts)
        count += len(parts)
    return count
