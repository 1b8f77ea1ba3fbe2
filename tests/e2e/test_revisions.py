"""Speakers found anew by the real service: no recogniser is loaded or started for it, and edits follow."""

import threading
from pathlib import Path
from typing import Self

import pytest

from tests.adapters.processes import children, running
from tests.e2e.service import Service
from tests.recordings import CONVERSATION

SCRIPT = {
    "ASR_ENGINE": "scripted",
    "DIARIZATION_ENGINE": "scripted",
    "ENGINE_WINDOW_SECONDS": "5",
    "ENGINE_PRELOAD": "",
}


class Watch:
    """Counts the engines' processes that a service has at once, the highest number it sees."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            seen = 0
            for pid in children(self._pid):
                try:
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                seen += running(pid) and b"adapters.hosting.main" in command
            self.most = max(self.most, seen)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_no_recogniser_is_loaded_or_started_for_a_revision(tmp_path: Path) -> None:
    with Service(tmp_path / "data", **SCRIPT) as service:
        task = service.submit(CONVERSATION)
        service.wait(task)
        before = service.result(task).json()
        assert service.stop() == 0
    counted = {engine: tmp_path / engine for engine in ("asr", "diarizer")}
    script = SCRIPT | {
        "ASR_SCRIPT": f"counter={counted['asr']}", "DIARIZATION_SCRIPT": f"sleep:0.5;counter={counted['diarizer']}",
    }  # fmt: skip
    with Service(tmp_path / "data", **script) as service, service.client() as client:
        named = client.patch(f"/api/v1/tasks/{task}/speakers/spk_1", json={"name": "Ann"})
        assert named.status_code == 200, named.text
        with Watch(service.pid) as watch:
            answer = client.post(f"/api/v1/tasks/{task}/revisions", json={"num_speakers": 3})
            assert answer.status_code == 202, answer.text
            revision = service.wait(answer.json()["task_id"])
        assert (revision["status"], revision["kind"], revision["parent"]) == ("done", "revise", task)
        assert watch.most == 2, "the detector of speech and the diarizer"
        assert not counted["asr"].exists(), "the recogniser was loaded"
        assert "load" in counted["diarizer"].read_text()
        after = client.get(f"/api/v1/result/{task}", params={"edits": "false"}).json()
        assert after["full_text"].split() == before["full_text"].split()
        assert [(word["start"], word["end"]) for part in after["segments"] for word in part["words"]] == [
            (word["start"], word["end"]) for part in before["segments"] for word in part["words"]
        ]
        assert len(after["speakers"]) == 3
        stages = {stage["name"]: stage["status"] for stage in after["stages"]}
        assert (stages["recognition"], stages["diarization"]) == ("reused", "ran")
        assert client.get(f"/api/v1/result/{task}", params={"revision": "1", "edits": "false"}).json() == before
        assert "Ann" in client.get(f"/api/v1/result/{task}").json()["speakers"]
        found = client.get("/api/v1/tasks", params={"q": before["full_text"].split()[3]}).json()["tasks"]
        assert [each["task_id"] for each in found] == [task]
        with Watch(service.pid) as watch:
            service.wait(service.submit(CONVERSATION))
        assert watch.most == 3, "else this watch sees nothing"
        assert counted["asr"].exists()
