"""D-04: a filled database is migrated while the release before goes on writing; killed, repeated, by two at once.

The writers know the first schema alone: what they leave out is what that release leaves out.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from adapters.system import Uuid7Factory
from infrastructure.database import MIGRATIONS, blocking_engine, migrate
from tests.servers.postgres import PostgresServer

ROWS = int(os.environ.get("COLLOQUY_TEST_MIGRATED_ROWS", "20000"))  # noqa: TID251 - a longer run for a release
LONGEST_WAIT = 5.0
KILLS = 6
BEFORE = "0001"
INSTANT = "2026-01-02 03:04:05.000000"
_MEDIA = json.dumps({"key": "media/x", "filename": "x", "size": 1, "sha256": "00"})
_COLUMNS = {
    "owner": "00000000000000000000000000000007", "options": "{}", "media": _MEDIA, "created_at": INSTANT,
    "updated_at": INSTANT, "run_after": INSTANT, "status": "done", "attempt": 1, "crashes": 0, "strikes": 0, "token": 1,
    "phase": "finishing", "phase_fraction": 1.0, "progress": 1.0, "cancel_requested": False, "revision": 1,
    "processing_ms": 5, "version": 3,
}  # fmt: skip
_INSERT = f"INSERT INTO tasks (id, {', '.join(_COLUMNS)}) VALUES ({', '.join(['{0}'] * (len(_COLUMNS) + 1))})"  # noqa: S608
_ids = Uuid7Factory()
_UPDATE = "UPDATE tasks SET progress = {0}, version = version + 1 WHERE id = {0}"


def row() -> tuple[Any, ...]:
    return (_ids.new().hex, *_COLUMNS.values())


class Writer(threading.Thread):
    """Inserts and updates rows, one after the other, until it is told to stop; remembers its longest wait."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.ended = threading.Event()
        self.written: list[str] = []
        self.longest = 0.0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with closing(connected(self.url)) as connection:
                mark = "%s" if isinstance(connection, psycopg.Connection) else "?"
                while not self.ended.is_set():
                    added = row()
                    began = time.monotonic()
                    connection.execute(_INSERT.format(mark), added)
                    connection.execute(_UPDATE.format(mark), (0.5, added[0]))
                    self.longest = max(self.longest, time.monotonic() - began)
                    self.written.append(added[0])
                    time.sleep(0.002)
        except BaseException as failure:  # noqa: BLE001 - told by the test's own thread
            self.failure = failure

    def stop(self) -> None:
        self.ended.set()
        self.join(20)
        assert self.failure is None, self.failure
        assert not self.is_alive()


def connected(url: str) -> Any:
    """Connect as the release before does: SQLite's writers wait for each other for up to 30 seconds."""
    if url.startswith("postgresql"):
        return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    return sqlite3.connect(url.partition(":///")[2], timeout=30, isolation_level=None)


@pytest.fixture(params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite3'}"
        fill(url)
        yield url
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.database() as url:
            fill(url)
            yield url


def fill(url: str) -> None:
    engine = blocking_engine(url)
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, BEFORE)
        names = ["id", *_COLUMNS]
        insert = text(f"INSERT INTO tasks ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})")  # noqa: S608
        connection.execute(insert, [dict(zip(names, row(), strict=True)) for _ in range(ROWS)])
    engine.dispose()


def revision_and_rows(url: str) -> tuple[str, set[str]]:
    with closing(connected(url)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return revision, {str(found[0]).replace("-", "") for found in connection.execute("SELECT id FROM tasks")}


def migrating(url: str) -> subprocess.Popen[str]:
    code = "import sys; from infrastructure.database import migrate; print('on', flush=True); migrate(sys.argv[1])"
    return subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_d04_nobody_waits_long_and_no_row_is_lost(filled: str, record_property: Callable[[str, object], None]) -> None:
    before = revision_and_rows(filled)[1]
    writer = Writer(filled)
    writer.start()
    time.sleep(0.3)
    began = time.monotonic()
    migrate(filled)
    took = time.monotonic() - began
    time.sleep(0.3)  # the release before writes on over the new schema
    writer.stop()
    revision, rows = revision_and_rows(filled)
    record_property("seconds", (took, writer.longest))
    assert revision > BEFORE
    assert rows == before | set(writer.written)
    assert writer.longest <= LONGEST_WAIT


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_d04_killed_at_any_moment_it_has_happened_or_not(filled: str) -> None:
    before = revision_and_rows(filled)[1]
    began = time.monotonic()
    for number in range(KILLS):
        process = migrating(filled)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.6 * number / KILLS)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        process.stdout.close()
    migrate(filled)
    migrate(filled)
    revision, rows = revision_and_rows(filled)
    assert revision > BEFORE
    assert rows == before
    assert time.monotonic() - began < 120


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_d04_of_two_nodes_one_migrates_and_both_start(filled: str) -> None:
    before = revision_and_rows(filled)[1]
    both = [migrating(filled) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    for process in both:
        assert process.stdout is not None
        process.stdout.close()
    revision, rows = revision_and_rows(filled)
    assert revision > BEFORE
    assert rows == before


@pytest.mark.slow
def test_d04_a_process_of_this_release_starts_over_the_tables_of_the_next(filled: str) -> None:
    migrate(filled)
    with closing(connected(filled)) as connection:
        connection.execute("ALTER TABLE tasks ADD COLUMN of_the_next_release TEXT")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    migrate(filled)
    writer = Writer(filled)
    writer.start()
    time.sleep(0.2)
    writer.stop()
    assert writer.written
    assert revision_and_rows(filled)[0] == "9999"
