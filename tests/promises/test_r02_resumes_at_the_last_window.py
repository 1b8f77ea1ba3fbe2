"""R-02: killed at 60 % of a long recording, a worker resumes at the last stored window; the result is the same.

The same means: every format but JSON byte for byte, and JSON but for what tells of the run itself: the task's id and
times, and which stages were reused and how long they took.
"""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from application.rendering.registry import FORMATS
from tests.e2e.service import Service
from tests.recordings import looped

MINUTES = int(os.environ.get("COLLOQUY_TEST_MINUTES", "3"))  # noqa: TID251 - 60 for a release
WINDOW_SECONDS = max(15, 5 * MINUTES)
SCRIPT = {
    "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": str(WINDOW_SECONDS),
    "ENGINE_EXPRESS_MB": "0",
}  # fmt: skip


def calls(counter: Path) -> list[str]:
    lines = counter.read_text().splitlines() if counter.exists() else []
    return [line for line in lines if line.startswith("call ")]


def whole(service: Service, task: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    result = service.result(task).json()
    for stage in result["stages"]:
        for told in ("status", "reason", "seconds", "engine", "device"):
            stage.pop(told)
    for told in ("task_id", "processing_time"):
        result.pop(told)
    texts = [name for name in FORMATS if name != "json"]
    return result, {name: service.result(task, name).content.replace(task.encode(), b"") for name in texts}


@pytest.mark.slow
@pytest.mark.timeout(90 + 12 * MINUTES)
def test_r02_a_long_recording_resumes_at_the_last_stored_window(tmp_path: Path) -> None:
    recording = looped(tmp_path / "long.wav", 60 * MINUTES)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    with Service(tmp_path / "a", ASR_SCRIPT=f"sleep:0.3;counter={undisturbed}", **SCRIPT) as service:
        task = service.submit(recording)
        service.wait(task, patience=60 + 6 * MINUTES)
        expected = whole(service, task)
    windows = calls(undisturbed)
    assert len(windows) >= 10
    service = Service(tmp_path / "b", ASR_SCRIPT=f"sleep:0.3;counter={disturbed}", **SCRIPT).start()
    with service:
        task = service.submit(recording)
        deadline = time.monotonic() + 60 + 6 * MINUTES
        while len(calls(disturbed)) <= 0.6 * len(windows):
            assert time.monotonic() < deadline, service.status(task)
            time.sleep(0.02)
        service.kill()
        before = len(calls(disturbed))
        service.start()
        status = service.wait(task, patience=60 + 6 * MINUTES)
        found = whole(service, task)
    twice = len(calls(disturbed)) - len(set(calls(disturbed)))
    print(f"{len(windows)} windows, killed in the {before}th, {twice} recognised twice")  # noqa: T201
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["crashed", "completed"]
    assert set(calls(disturbed)) == set(windows)
    assert twice <= 1
    assert found == expected
