"""The database behind the units of work: connections, their settings, and bringing its tables up to date.

PostgreSQL serves several processes and machines. SQLite has one connection a process, which writes, reads and
checkpoints in turn. Two writers could only wait for each other, and before SQLite 3.51.3 a checkpoint that races
another connection's write can corrupt the file (https://www.sqlite.org/wal.html#walresetbug).
"""

import asyncio
import os
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from infrastructure.database_settings import DatabaseSettings

MIGRATIONS = Path(__file__).parent / "migrations"
_SAFE_SQLITE = (3, 51, 3)
_BUSY = "busy_timeout = 30000"
_PRAGMAS = (
    _BUSY,  # ms; another process, the command line say, may be writing: wait for it, never fail
    "journal_mode = WAL",
    "synchronous = FULL",  # a task that was accepted survives a power cut
    "foreign_keys = ON",
    "secure_delete = ON",  # what was deleted does not stay readable in free pages
)
_POSTGRES = {
    "connect_timeout": 5,  # seconds; whoever waits for a dead server longer than this is better told so
    "application_name": "colloquy",
    "options": " ".join(
        f"-c {name}={value}"
        for name, value in {
            "statement_timeout": "30s",
            "lock_timeout": "5s",  # a migration that meets a long transaction gives way and is tried again
            "idle_in_transaction_session_timeout": "60s",  # nobody's pause may hold back the vacuum
            "timezone": "UTC",
        }.items()
    ),
    "tcp_user_timeout": 15_000,  # ms; a peer that vanished without a word
    "keepalives_idle": 5,  # seconds; the same for who waits for one
    "keepalives_interval": 5,
}
_MIGRATION_LOCK = 0x0C011081
"""Any number, as long as it is the same in all processes."""
_LOOKING = "looking"
_USUAL = DatabaseSettings()
_log = structlog.get_logger()


def connect(url: str, limits: DatabaseSettings = _USUAL) -> AsyncEngine:
    """Return the engine for the units of work of this process and event loop; `await engine.dispose()` ends it.

    `limits` are PostgreSQL's alone: SQLite has one connection.

    Raises:
        ValueError: neither PostgreSQL's URL nor that of an SQLite file.
    """
    if _is_postgres(url):
        from infrastructure.postgres import STATEMENT_SECONDS, ImpatientConnection  # noqa: PLC0415 - SQLite needs none

        options = f"{_POSTGRES['options']} -c statement_timeout={STATEMENT_SECONDS}s"
        impatient = _POSTGRES | {"options": options, "async_creator_fn": ImpatientConnection.connect}
        return create_async_engine(
            url, connect_args=impatient, hide_parameters=True, pool_size=limits.connections,
            max_overflow=limits.overflow, pool_timeout=10, pool_pre_ping=True, pool_recycle=1800,
        )  # fmt: skip
    target = _sqlite_file(url)
    if sqlite3.sqlite_version_info < _SAFE_SQLITE:
        _log.warning(
            "sqlite_wal_reset_bug",
            sqlite=sqlite3.sqlite_version,
            fixed_in=".".join(map(str, _SAFE_SQLITE)),
            consequence="one connection does all reading, writing and checkpointing",
        )
    # Whoever needs the connection waits for it in line; a limit would turn a slow disk into an error.
    engine = create_async_engine(target, pool_size=1, max_overflow=0, pool_timeout=None, hide_parameters=True)
    _configure(engine.sync_engine)
    return engine


def looking(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine for units of work that read once and write nothing: SQLite need not begin anything for them."""
    return engine.execution_options(**{_LOOKING: True})


async def wipe_deleted(engine: AsyncEngine) -> bool:
    """Have the database drop what it keeps of deleted rows beside its tables; False: not now, somebody still reads it.

    SQLite's write-ahead log would show old pages until it is written over. PostgreSQL's is its administrator's matter.
    """
    if engine.dialect.name != "sqlite":
        return True
    async with engine.connect() as connection:
        # A checkpoint cannot run inside a transaction, which SQLAlchemy would begin.
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.execute("PRAGMA busy_timeout = 0")  # nobody's request should wait for a backup to end
        try:
            cursor = await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy = (await cursor.fetchone())[0]
        finally:
            await driver.execute(f"PRAGMA {_BUSY}")
    return not busy


def migrate(url: str) -> None:
    """Create the database or bring its tables up to date; blocking, safe at every start and from several processes.

    Either all of it happens or none: the migrations run in one transaction, which also keeps other processes out. A
    database that a newer release has brought further is left as it is: each release can work with the next one's
    tables, so that processes of both may start while one replaces the other.

    Raises:
        ValueError: neither PostgreSQL's URL nor that of an SQLite file.
    """
    # Imported here, because serving requests needs none of it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    engine = blocking_engine(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SET LOCAL statement_timeout = 0")
                )  # an index over millions of rows takes longer
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # the others take turns
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
                connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            newer = set(MigrationContext.configure(connection).get_current_heads()) - known
            if newer:
                _log.warning("database_of_a_newer_release", revision=", ".join(newer))
            else:
                command.upgrade(config, "head")
    finally:
        engine.dispose()


async def pending_migrations(engine: AsyncEngine) -> bool:
    """Whether the tables are older than this release's; those of a newer one are as good."""
    async with looking(engine).connect() as connection:
        found = set((await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars())
    known = await asyncio.to_thread(_revisions)
    return found != {max(known)} and found <= known


@cache
def _revisions() -> frozenset[str]:
    """Name this release's revisions, by their files: Alembic may be migrating, and its import bears no company."""
    return frozenset(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def blocking_engine(url: str) -> Engine:
    """Return an engine for migrations, with the same settings."""
    if _is_postgres(url):
        return create_engine(url, connect_args=_POSTGRES, hide_parameters=True)
    engine = create_engine(_sqlite_file(url).set(drivername="sqlite"), hide_parameters=True)
    _configure(engine)
    return engine


def _is_postgres(url: str) -> bool:
    return make_url(url).drivername == "postgresql+psycopg"


def _sqlite_file(url: str) -> URL:
    """Parse the URL and see to a file that only this user can read, which SQLite's side files take after."""
    target = make_url(url)
    if target.drivername != "sqlite+aiosqlite" or target.database in {None, "", ":memory:"}:
        raise ValueError("the database must be postgresql+psycopg://… or an SQLite file: sqlite+aiosqlite:///PATH")
    path = Path(str(target.database))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600))
    return target


def _configure(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by guesses of its own
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        # A transaction that read first could not turn into a writing one once another process has written.
        if not connection.get_execution_options().get(_LOOKING):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
