"""The engines' processes of a running service: they die amid a job, they end when nobody needs them."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.adapters.processes import children, resident, running, wait_until
from tests.e2e.service import Service
from tests.recordings import CONVERSATION, looped

WHISPER = Path(__file__).parents[1] / "data" / "small-whisper"
ENGINES = {"ASR_ENGINE": "faster_whisper", "ASR_MODEL": str(WHISPER), "DIARIZATION_ENGINE": "acoustic"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def engines(service: Service) -> set[int]:
    """The ids of the processes that hold engines."""
    return {
        pid
        for pid in children(service.pid)
        if running(pid) and b"adapters.hosting.main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }


def words(service: Service, task: str) -> list[str]:
    segments = service.result(task).json()["segments"]
    return [word["text"] for segment in segments for word in segment["words"]]


def test_a_job_whose_engines_are_killed_is_done_all_the_same_and_so_is_the_next(tmp_path: Path) -> None:
    recording = looped(tmp_path / "long.wav", 60)
    with Service(tmp_path / "data", ENGINE_WINDOW_SECONDS="5", **ENGINES) as service:
        task = service.submit(recording)
        wait_until(lambda: service.status(task)["phase"] in {"transcribing", "finishing"}, seconds=60)
        killed = engines(service)
        assert len(killed) == 3
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        with service.client() as client:
            assert client.get("/health/live").status_code == 200
        ended = service.wait(task)
        assert ended["status"] == "done"
        following = service.submit(recording)
        assert service.wait(following)["status"] == "done"
        assert words(service, task) == words(service, following), "no window is lost, and none is there twice"
        assert not engines(service) & killed


def test_an_idle_service_gives_its_engines_memory_back(tmp_path: Path) -> None:
    with Service(tmp_path / "data", ENGINE_IDLE_SECONDS="3", ENGINE_PRELOAD="asr", **ENGINES) as service:
        wait_until(lambda: len(engines(service)) == 1, seconds=30)
        first = service.submit(CONVERSATION)
        held = dict.fromkeys(engines(service), 0)
        while service.status(first)["status"] not in {"done", "error"}:
            held |= {pid: resident(pid) for pid in engines(service)}
            time.sleep(0.2)
        assert len(held) == 3
        print(f"{sum(held.values()) / 1e6:.0f} MB in three processes")  # noqa: T201 - the figure to note
        begun = time.monotonic()
        wait_until(lambda: not engines(service), seconds=20)
        print(f"given back {time.monotonic() - begun:.1f} s after the job's end")  # noqa: T201 - as above
        following = service.submit(CONVERSATION)
        assert service.wait(following)["status"] == "done"
        assert words(service, first) == words(service, following)
