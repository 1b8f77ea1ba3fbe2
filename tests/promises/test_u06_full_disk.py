"""U-06: the disk is full, wherever; uploads are refused with 507, jobs wait, and no half file is ever served.

Each test mounts a disk of 16 MB of its own at the place it is about, which only root may do.
"""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.service import Service
from tests.recordings import looped

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
SCRIPTED = {
    "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": "3",
    "MAX_FILE_SIZE": "30000000", "MIN_FREE_PERCENT": "0", "ENGINE_EXPRESS_MB": "0",
}  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


class SmallDisk:
    """A disk of 16 MB that can be filled and emptied."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def mount(self, path: Path) -> None:
        """Put it there."""
        path.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", str(path)],
            capture_output=True,
            check=False,
        )
        if made.returncode:
            pytest.skip(f"this user may not mount a disk: {made.stderr.decode().strip()}")
        self.path, self._filler = path, path / "filler"

    def unmount(self) -> None:
        """Take it away, whoever still uses it."""
        subprocess.run(["umount", "-l", str(self.path)], capture_output=True, check=False)

    def grow(self) -> None:
        """Make it four times as large, as somebody would."""
        subprocess.run(["mount", "-o", "remount,size=64m", str(self.path)], check=True)

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes."""
        with self._filler.open("ab", buffering=0) as filler:
            while (free := shutil.disk_usage(self.path).free) > left:
                try:
                    filler.write(bytes(min(1 << 16, free - left)))
                except OSError:
                    return

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "small")
    yield disk
    disk.unmount()


def post(service: Service, recording: Path) -> httpx.Response:
    with service.client() as client, recording.open("rb") as media:
        return client.post("/api/v1/transcribe", files={"file": (recording.name, media)}, data={"diarization": "false"})


def assert_refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full"), answer.text
    assert answer.headers["retry-after"] == "60"


def storage(service: Service) -> tuple[int, str]:
    time.sleep(1)  # for which the last answer is kept
    with service.client() as client:
        answer = client.get("/health/ready")
    return answer.status_code, answer.json()["parts"]["storage"]


def phase(service: Service, task: str, name: str) -> None:
    deadline = time.monotonic() + 30
    while service.status(task)["phase"] != name:
        assert time.monotonic() < deadline, service.status(task)
        time.sleep(0.05)


def waiting(service: Service, task: str) -> dict[str, Any]:
    """Wait until it was put back into the queue."""
    deadline = time.monotonic() + 30
    while (status := service.status(task))["status"] != "queued" or not status["attempts"]:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return status


def time_passes(database: Path) -> None:
    """Whatever waits for its next attempt is due."""
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute("UPDATE tasks SET run_after = created_at")


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != "filler"
    )


def test_u06_a_full_disk_refuses_uploads_and_keeps_nothing_of_them(disk: SmallDisk, tmp_path: Path) -> None:
    disk.mount(tmp_path / "blobs")
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(20_000_000))
    with Service(tmp_path / "data", BLOB_URL=f"file://{disk.path}", **SCRIPTED) as service:
        before = files(disk.path)
        assert_refused(post(service, large))
        assert files(disk.path) == before
        disk.fill()
        assert_refused(post(service, CONVERSATION))
        disk.empty()
        assert service.wait(post(service, CONVERSATION).json()["task_id"])["status"] == "done"


def test_u06_a_nearly_full_disk_takes_nothing_in_and_says_so(disk: SmallDisk, tmp_path: Path) -> None:
    disk.mount(tmp_path / "blobs")
    settings = SCRIPTED | {"MIN_FREE_PERCENT": "5", "MAX_FILE_SIZE": "500000"}
    with Service(tmp_path / "data", BLOB_URL=f"file://{disk.path}", **settings) as service:
        assert storage(service) == (200, "ok")
        disk.fill(left=16 * 1024 * 1024 * 4 // 100)
        assert_refused(post(service, CONVERSATION))
        assert storage(service) == (503, "nearly full")
        disk.empty()
        assert storage(service) == (200, "ok")
        assert post(service, CONVERSATION).status_code == 202


def test_u06_a_disk_that_is_full_while_decoding_puts_the_job_back(disk: SmallDisk, tmp_path: Path) -> None:
    data, database = tmp_path / "data", tmp_path / "data" / "colloquy.sqlite3"
    disk.mount(data / "work")
    recording = looped(tmp_path / "long.wav", 600)  # 19 MB once decoded
    with Service(data, **SCRIPTED) as service:
        task = post(service, recording).json()["task_id"]
        status = waiting(service, task)
        assert [(past["outcome"], past["code"]) for past in status["attempts"]] == [("failed", "storage_full")]
        assert files(disk.path) == []
        disk.grow()
        time_passes(database)
        ended = service.wait(task, patience=60)
    assert (ended["status"], ended["quarantined"]) == ("done", False)
    assert [past["outcome"] for past in ended["attempts"]] == ["failed", "completed"]


def test_u06_a_disk_that_is_full_for_the_result_serves_no_half_of_it(disk: SmallDisk, tmp_path: Path) -> None:
    data = tmp_path / "data"
    disk.mount(tmp_path / "blobs")
    with Service(data, BLOB_URL=f"file://{disk.path}", ASR_SCRIPT="sleep:0.5", **SCRIPTED) as service:
        task = post(service, CONVERSATION).json()["task_id"]
        phase(service, task, "transcribing")
        disk.fill()
        status = waiting(service, task)
        assert status["attempts"][0]["code"] == "storage_full"
        assert service.result(task).status_code == 409
        assert [name for name in files(disk.path) if not name.startswith("media/")] == []
        disk.empty()
        time_passes(data / "colloquy.sqlite3")
        assert service.wait(task)["status"] == "done"
        result = service.result(task).json()
    assert result["segments"]
    recognised = next(stage for stage in result["stages"] if stage["name"] == "recognition")
    assert recognised["status"] == "reused", "what was recognised before is not recognised again"


def test_u06_a_database_without_room_refuses_uploads_and_loses_no_job(disk: SmallDisk, tmp_path: Path) -> None:
    disk.mount(tmp_path / "database")
    url = f"sqlite+aiosqlite:///{disk.path}/db.sqlite3"
    with Service(tmp_path / "data", DATABASE_URL=url, ASR_SCRIPT="sleep:0.3", **SCRIPTED) as service:
        tasks = [post(service, CONVERSATION).json()["task_id"] for _ in range(3)]
        phase(service, tasks[0], "transcribing")
        disk.fill()
        refusals = [post(service, CONVERSATION) for _ in range(3)]
        for answer in refusals:
            assert_refused(answer)
        assert {service.status(task)["status"] for task in tasks} <= {"queued", "processing", "done"}
        time.sleep(3)
        disk.empty()
        for task in tasks:
            service.wait(task, until=("queued", "done"))
        time_passes(disk.path / "db.sqlite3")
        ended = [service.wait(task) for task in tasks]
        assert service.wait(post(service, CONVERSATION).json()["task_id"])["status"] == "done"
        transcripts = files(tmp_path / "data" / "blobs" / "transcripts")
        assert {service.result(task).status_code for task in tasks} == {200}
        media = files(tmp_path / "data" / "blobs" / "media")
    assert [status["status"] for status in ended] == ["done"] * 3
    assert len(transcripts) == 4
    assert len(media) <= 4 + len(refusals), media
    with closing(sqlite3.connect(disk.path / "db.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
