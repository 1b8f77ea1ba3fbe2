"""Bringing the database up to date at every start: harmless, quick, all or nothing, and by one process at a time."""

import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from structlog.testing import capture_logs

from infrastructure import database
from infrastructure.database import connect, migrate

PROJECT = Path(__file__).parents[2]
HEAD = ScriptDirectory(str(database.MIGRATIONS)).get_current_head()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "test.sqlite3"


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def add_key(file: Path, name: str) -> None:
    with sqlite3.connect(file) as connection:
        columns = "id, owner, name, digest, hint, created_at"
        connection.execute(f"INSERT INTO api_keys ({columns}) VALUES (?, 'owner', ?, ?, 'hint', 'now')", (name,) * 3)  # noqa: S608
    connection.close()


def test_migrating_again_keeps_everything_and_is_quick(file: Path) -> None:
    migrate(url_of(file))
    add_key(file, "laptop")
    start = time.perf_counter()
    migrate(url_of(file))
    assert time.perf_counter() - start < 0.3
    assert rows(file, "SELECT name FROM api_keys") == [("laptop",)]
    assert rows(file, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_migration_that_fails_changes_nothing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(url_of(file))
    add_key(file, "laptop")
    before = rows(file, "SELECT name, sql FROM sqlite_master")
    shutil.copytree(database.MIGRATIONS, tmp_path / "migrations")
    (tmp_path / "migrations/versions/9999_half.py").write_text(
        f"from alembic import op\nrevision, down_revision = '9999', '{HEAD}'\n"  # noqa: S608
        "def upgrade():\n    op.execute('CREATE TABLE half (id)')\n    op.execute('DELETE FROM api_keys')\n    1 / 0\n"
    )
    monkeypatch.setattr(database, "MIGRATIONS", tmp_path / "migrations")
    with pytest.raises(ZeroDivisionError):
        migrate(url_of(file))
    assert rows(file, "SELECT name, sql FROM sqlite_master") == before
    assert rows(file, "SELECT name FROM api_keys") == [("laptop",)]
    assert rows(file, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_several_processes_may_start_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["infrastructure.database", "alembic.command"])
    for number in range(3):
        file = tmp_path / f"{number}.sqlite3"
        starting = [context.Process(target=migrate, args=(url_of(file),)) for _ in range(4)]
        for process in starting:
            process.start()
        for process in starting:
            process.join(15)
        assert [process.exitcode for process in starting] == [0, 0, 0, 0]
        assert rows(file, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_developers_reach_the_migrations_by_the_command_line(file: Path) -> None:
    alembic = [sys.executable, "-m", "alembic", "-x", f"url={url_of(file)}"]
    subprocess.run([*alembic, "upgrade", "head"], cwd=PROJECT, check=True, capture_output=True)
    assert rows(file, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_the_files_are_named_by_their_revisions() -> None:
    scripts = ScriptDirectory(str(database.MIGRATIONS))
    assert database._revisions() == {script.revision for script in scripts.walk_revisions()}
    assert scripts.get_current_head() == max(database._revisions())


def test_serving_needs_no_migration_tool() -> None:
    listing = "import sys, infrastructure.database; print('alembic' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", listing], cwd=PROJECT, check=True, capture_output=True, text=True)
    assert told.stdout == "False\n"


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "sqlite:///a", "mysql://host/a"]
)
def test_what_is_not_an_sqlite_file_is_refused(url: str) -> None:
    for opening in (connect, migrate):
        with pytest.raises(ValueError, match="SQLite file"):
            opening(url)


@pytest.mark.parametrize(("version", "warnings"), [((3, 40, 1), 1), ((3, 51, 2), 1), ((3, 51, 3), 0)])
def test_d07_an_affected_sqlite_is_told(
    version: tuple[int, int, int], warnings: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    with capture_logs() as logs:
        connect(url_of(file))
    assert [entry["event"] for entry in logs] == ["sqlite_wal_reset_bug"] * warnings
