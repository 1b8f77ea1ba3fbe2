"""D-01: what was said and what was handed in are found in no store any more a minute after the task was deleted."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.e2e.service import Service
from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Server

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
CANARY = "zyzzogeton-quixotry"
"""In the recording's name and in its bytes; what the engine hears in it is looked for beside."""
PROMISED = 60.0
SCRIPTED = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": "3"}


def recording(folder: Path) -> tuple[Path, bytes]:
    """A recording that exists nowhere else, and a piece of it."""
    mark = f"{CANARY}-in-the-bytes-of-the-audio".encode()
    file = folder / f"{CANARY}.flac"
    file.write_bytes(CONVERSATION.read_bytes() + mark)
    return file, mark


def in_files(folder: Path, needles: list[bytes]) -> list[tuple[str, bytes]]:
    """Which files hold one of these, in their names or their bytes."""
    return [
        (path.name, needle)
        for path in folder.rglob("*")
        if path.is_file()
        for needle in needles
        if needle in path.read_bytes() or needle in path.as_posix().encode()
    ]


def in_rows(url: str, needles: list[bytes]) -> list[tuple[str, bytes]]:
    """Which of PostgreSQL's rows say one of these, as a dump would."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        names = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        every = {name: connection.execute(f'SELECT t::text FROM "{name}" AS t').fetchall() for name in names}  # noqa: S608 - our names
        rows = {name: repr(found).encode() for name, found in every.items()}
    return [(name, needle) for name, found in rows.items() for needle in needles if needle in found]


def spoken(service: Service, task: str) -> list[bytes]:
    """Words of the transcript that no other text would hold in this order."""
    text = service.result(task, "text").text
    words = " ".join(text.split("\n")[0].split()[-6:])
    assert len(words) > 10, text
    return [words.encode()]


def deleted(service: Service, task: str) -> float:
    """Delete the task, wait for the receipt, and return how long all of it took."""
    with service.client() as client:
        began = time.monotonic()
        answer = client.delete(f"/api/v1/tasks/{task}")
        assert answer.status_code == 204
        assert client.get(f"/api/v1/result/{task}").status_code == 404
        while client.get(answer.headers["location"]).json()["completed_at"] is None:
            assert time.monotonic() - began < PROMISED
            time.sleep(0.5)
        return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_d01_nothing_is_left_in_the_data_folder(tmp_path: Path) -> None:
    file, mark = recording(tmp_path)
    data = tmp_path / "data"
    with Service(data, **SCRIPTED) as service:
        task = service.submit(file)
        assert service.wait(task)["status"] == "done"
        needles = [CANARY.encode(), mark, *spoken(service, task)]
        before = {needle for _, needle in in_files(data, needles)}
        assert before == set(needles), "the search finds what is there"
        deleted(service, task)
        assert in_files(data, needles) == []
        assert CANARY not in service.log
        with closing(sqlite3.connect(data / "colloquy.sqlite3")) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            left = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}  # noqa: S608
        kept = {name for name, count in left.items() if count}
        # How fast stages went, how much was used and attempted, and that it was done: who, what, when.
        counts = {"paces", "usage", "counters", "audit_log"}
        assert kept <= {"alembic_version", "api_keys", "deletions", "chores", "turns"} | counts, (
            "a tombstone and no more"
        )


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_d01_nothing_is_left_in_postgres_and_s3(tmp_path: Path, url: str, s3: S3Server) -> None:
    file, mark = recording(tmp_path)
    data, bucket = tmp_path / "data", s3.bucket()
    stores = {
        "DATABASE_URL": url, "BLOB_URL": f"s3://{bucket.name}", "S3_ENDPOINT": bucket.endpoint,
        "S3_ACCESS_KEY": bucket.access_key, "S3_SECRET_KEY": bucket.secret_key, "S3_SECURE": "false",
    }  # fmt: skip
    with Service(data, **SCRIPTED, **stores) as service:
        task = service.submit(file)
        assert service.wait(task)["status"] == "done"
        needles = [CANARY.encode(), mark, *spoken(service, task)]
        before = {needle for _, needle in [*in_files(s3._folder, needles), *in_rows(url, needles)]}
        assert before == set(needles)
        deleted(service, task)
        assert [*in_files(s3._folder / "data", needles), *in_rows(url, needles), *in_files(data, needles)] == []
