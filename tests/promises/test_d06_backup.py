"""D-06: a backup taken under load and restored on an empty machine, over any stores: nothing is missing."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from application.manage_api_keys import LOCAL_OWNER
from tests.e2e.service import Service
from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Server

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
TASKS = int(os.environ.get("COLLOQUY_TEST_BACKUP_TASKS", "4"))  # noqa: TID251 - more of a load for a release
SCRIPTED = {
    "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": "3", "MAX_WORKERS": "2",
    "ASR_SCRIPT": "sleep:0.05", "ENGINE_CONCURRENCY": "1",
}  # fmt: skip
Stores = Mapping[str, str]
Taken = tuple[dict[str, str], list[str], list[str], str]


def command(data: Path, settings: Mapping[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}  # noqa: TID251
    program = Path(sys.executable).with_name("colloquy")
    environment = {**inherited, "DATA_DIR": str(data), **SCRIPTED, **settings}
    return subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=240
    )


@contextmanager
def submitting(service: Service) -> Iterator[list[str]]:
    """Hand in one recording after another until the context ends."""
    tasks: list[str] = []
    stop = threading.Event()

    def submit() -> None:
        while not stop.is_set() and len(tasks) < 2 * TASKS:
            tasks.append(service.submit(CONVERSATION))
            time.sleep(0.05)

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield tasks
    finally:
        stop.set()
        thread.join(30)


def digest_of(service: Service, task: str) -> str:
    answer = service.result(task)
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()


def digests_of(service: Service, tasks: list[str]) -> dict[str, str]:
    return {task: digest_of(service, task) for task in tasks}


def taken_under_load(data: Path, stores: Stores, file: Path) -> Taken:
    """Return the digests of what was done, the tasks that were queued or running, those deleted, and the key."""
    with Service(data, **SCRIPTED, **stores) as service:
        done = [service.submit(CONVERSATION) for _ in range(3)]
        for task in done:
            service.wait(task)
        digests = digests_of(service, done)
        with service.client() as client:
            deleted = service.submit(CONVERSATION)
            assert client.delete(f"/api/v1/tasks/{deleted}").status_code == 204
        # The key of the start is replaced by the next start's; this one is in the backup, and still opens.
        key = command(data, stores, "keys", "issue", "laptop", "--owner", str(LOCAL_OWNER)).stdout.strip()
        waiting = [service.submit(CONVERSATION) for _ in range(TASKS)]
        with submitting(service):
            made = command(data, stores, "backup", file)
        assert made.returncode == 0, made.stderr
        assert "blobs were gone" not in made.stdout
        assert service.status(waiting[-1])["status"], "the service went on"
        return digests, waiting, [deleted], key


def restored(file: Path, data: Path, stores: Stores, taken: Taken) -> None:
    digests, waiting, _, key = taken
    done = command(data, stores, "restore", file)
    assert done.returncode == 0, done.stderr
    again = command(data, stores, "restore", file)
    assert again.returncode == 1
    assert "not empty" in again.stderr
    with Service(data, **SCRIPTED, **stores) as service:
        service.key = key
        for task in waiting:
            assert service.wait(task, patience=90)["status"] == "done"
        with service.client() as client:
            listed = client.get("/api/v1/tasks", params={"limit": 100}).json()["tasks"]
        for task in listed:  # those that were handed in while it was taken
            assert service.wait(task["task_id"], patience=90)["status"] == "done"
        assert digests_of(service, list(digests)) == digests
        assert {task["task_id"] for task in listed} >= {*digests, *waiting}
    report = command(data, stores, "reconcile")
    assert report.returncode == 0, report.stdout + report.stderr
    assert "rows without their blob: 0" in report.stdout


@pytest.fixture
def postgres_stores(postgres: PostgresServer) -> Iterator[Callable[[], Stores]]:
    opened = []

    def make() -> Stores:
        context = postgres.database()
        opened.append(context)
        return {"DATABASE_URL": context.__enter__()}

    yield make
    for context in opened:
        context.__exit__(None, None, None)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_d06_from_sqlite_under_load_to_sqlite_and_to_postgres(
    tmp_path: Path, postgres_stores: Callable[[], Stores]
) -> None:
    file = tmp_path / "backup.tar"
    taken = taken_under_load(tmp_path / "old", {}, file)
    shutil.rmtree(tmp_path / "old")
    assert file.stat().st_mode & 0o777 == 0o600
    checked = tmp_path / "checked"
    with tarfile.open(file) as tar:
        tar.extractall(checked, filter="data")
    sums = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=checked, check=False, capture_output=True)
    assert sums.returncode == 0, "anyone can check it"
    assert not [path for path in checked.rglob("*") if taken[2][0] in path.name]
    assert taken[3] not in b"".join(path.read_bytes() for path in (checked / "rows").iterdir()).decode()
    restored(file, tmp_path / "new", {}, taken)
    restored(file, tmp_path / "other", postgres_stores(), taken)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_d06_from_postgres_and_s3_under_load_to_sqlite_and_a_folder(
    tmp_path: Path, postgres_stores: Callable[[], Stores], s3: S3Server
) -> None:
    bucket = s3.bucket()
    stores = {
        **postgres_stores(), "BLOB_URL": f"s3://{bucket.name}", "S3_ENDPOINT": bucket.endpoint,
        "S3_ACCESS_KEY": bucket.access_key, "S3_SECRET_KEY": bucket.secret_key, "S3_SECURE": "false",
    }  # fmt: skip
    file = tmp_path / "backup.tar"
    taken = taken_under_load(tmp_path / "old", stores, file)
    restored(file, tmp_path / "new", {}, taken)
