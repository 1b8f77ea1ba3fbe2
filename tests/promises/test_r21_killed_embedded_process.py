"""R-21 and R-02: the whole embedded process is killed at random moments; nothing is lost and nothing done twice."""

import os
import random
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from tests.e2e.service import Service

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
ROUNDS = int(os.environ.get("COLLOQUY_TEST_KILLS", "10"))  # noqa: TID251 - a longer run for a release
TASKS = 20
SCRIPT = {
    "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": "3",
    "ASR_SCRIPT": "sleep:0.1", "DIARIZATION_SCRIPT": "sleep:0.2",
}  # fmt: skip


def calls(counter: Path) -> int:
    return sum(line.startswith("call ") for line in counter.read_text().splitlines()) if counter.exists() else 0


@pytest.mark.slow
@pytest.mark.timeout(60 + 12 * ROUNDS)
def test_r21_kill_9_of_the_embedded_process_loses_nothing(tmp_path: Path) -> None:
    dice = random.Random(21)
    data = tmp_path / "data"
    recording = Path(shutil.copy(CONVERSATION, tmp_path))
    service = Service(data, MAX_WORKERS="2", **SCRIPT).start()
    tasks = [service.submit(recording) for _ in range(TASKS)]
    running = 0
    for _ in range(ROUNDS):
        time.sleep(dice.uniform(0.0, 2.0))
        running += any(service.status(task)["status"] == "processing" for task in dice.sample(tasks, 5))
        service.kill()
        service.start()
        tasks.append(service.submit(recording))
    try:
        ended = [service.wait(task, patience=120) for task in tasks]
        texts = {service.result(task, "text").text for task in tasks}
    finally:
        service.kill()
    assert {status["status"] for status in ended} == {"done"}
    assert len(texts) == 1, "a resumed run must give the text of an undisturbed one"
    assert running > 0, "no kill met a running task"
    transcripts = sorted(path.relative_to(data).as_posix() for path in (data / "blobs" / "transcripts").rglob("*.json"))
    assert transcripts == sorted(f"blobs/transcripts/{task}/1.json" for task in tasks), "each was completed once"
    with sqlite3.connect(data / "colloquy.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM checkpoints").fetchall() == [(0,)]
    database.close()
    assert not list((data / "work").iterdir())


@pytest.mark.timeout(60)
def test_r02_a_restart_goes_on_after_the_last_stored_window(tmp_path: Path) -> None:
    counted = tmp_path / "windows"
    script = SCRIPT | {"ASR_SCRIPT": f"sleep:0.4;counter={counted}"}
    with Service(tmp_path / "undisturbed", **script) as service:
        task = service.submit(CONVERSATION)
        service.wait(task)
        expected = service.result(task).json()
        windows = calls(counted)
    assert windows >= 4
    counted.unlink()
    service = Service(tmp_path / "data", **script).start()
    task = service.submit(CONVERSATION)
    while calls(counted) < windows * 6 // 10 + 1:
        time.sleep(0.05)
    service.kill()
    with service:
        status = service.wait(task)
        result = service.result(task).json()
    assert status["attempt"] == 2
    assert calls(counted) <= windows + 1, "at most one window was decoded twice"
    assert result["segments"] == expected["segments"]
    assert next(stage for stage in result["stages"] if stage["name"] == "recognition")["reason"].endswith("attempt")
