"""R-04, R-13, R-14 and R-15 in the embedded process: poison, shutdown, cancellation and deletion."""

import time
from pathlib import Path

import pytest

from tests.e2e.service import Service

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
SCRIPTED = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": "3"}


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_r04_a_file_that_crashes_its_engine_each_time_ends_in_error(tmp_path: Path) -> None:
    with Service(tmp_path / "data", ASR_SCRIPT="segfault@1", **SCRIPTED) as service:
        ended = service.wait(service.submit(CONVERSATION), patience=120)
        assert ended["status"] == "error"
        assert ended["error"]["code"] == "worker_crashed"
        assert (ended["attempt"], ended["quarantined"]) == (3, True)
        assert [attempt["outcome"] for attempt in ended["attempts"]] == ["failed"] * 3
        with service.client() as client:
            assert client.get("/health/ready").status_code == 200
        answer = service.result(ended["task_id"])
        assert answer.status_code == 409


@pytest.mark.timeout(60)
def test_r13_a_stop_gives_tasks_back_and_burns_no_attempt(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", ASR_SCRIPT="sleep:0.5", **SCRIPTED).start()
    task = service.submit(CONVERSATION)
    for _ in range(3):
        service.wait(task, until=("processing", "done"))
        time.sleep(0.7)
        started = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - started < 10
        service.start()
    with service:
        ended = service.wait(task)
    assert (ended["status"], ended["attempt"]) == ("done", 1)


@pytest.mark.timeout(60)
def test_r14_cancelling_works_wherever_a_task_stands(tmp_path: Path) -> None:
    with Service(tmp_path / "data", ASR_SCRIPT="hang_in_c@1", MAX_WORKERS="1", **SCRIPTED) as service:
        running, queued = service.submit(CONVERSATION), service.submit(CONVERSATION)
        service.wait(running, until=("processing",))
        while service.status(running)["phase"] != "transcribing":
            time.sleep(0.1)
        with service.client() as client:
            started = time.monotonic()
            assert client.post(f"/api/v1/tasks/{queued}/cancel").json()["status"] == "cancelled"
            assert time.monotonic() - started < 1.0
            assert client.post(f"/api/v1/tasks/{running}/cancel").status_code == 200
            ended = service.wait(running, patience=10)
            assert ended["status"] == "cancelled"
            assert time.monotonic() - started < 10, "inside a native call too"
            again = client.post(f"/api/v1/tasks/{running}/cancel")
            assert (again.status_code, again.json()["status"]) == (200, "cancelled")
            assert client.get(f"/api/v1/result/{running}").status_code == 409


@pytest.mark.timeout(60)
def test_r14_a_finished_task_cannot_be_cancelled(tmp_path: Path) -> None:
    with Service(tmp_path / "data", **SCRIPTED) as service:
        task = service.submit(CONVERSATION)
        service.wait(task)
        with service.client() as client:
            assert client.post(f"/api/v1/tasks/{task}/cancel").status_code == 409


@pytest.mark.timeout(60)
def test_r15_deleting_a_running_task_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Service(data, ASR_SCRIPT="sleep:0.5", **SCRIPTED) as service:
        task = service.submit(CONVERSATION)
        service.wait(task, until=("processing",))
        time.sleep(0.5)
        with service.client() as client:
            assert client.delete(f"/api/v1/tasks/{task}").status_code == 204
            assert client.get(f"/api/v1/status/{task}").status_code == 404
        deadline = time.monotonic() + 15
        while list((data / "work").iterdir()):
            assert time.monotonic() < deadline, "the worker did not stop"
            time.sleep(0.1)
        time.sleep(0.5)
        left = [path for path in (data / "blobs").rglob("*") if path.is_file() and task in path.as_posix()]
    assert left == []
