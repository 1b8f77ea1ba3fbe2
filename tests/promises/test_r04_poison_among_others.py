"""R-04: one recording kills its engine each time; it is given up and set apart, and the others keep flowing."""

import os
import time
import wave
from pathlib import Path

import pytest

from adapters.media.av import AvDecoder
from adapters.voice_activity.silero import SileroVad
from domain.media import SAMPLE_RATE, DecodeLimits
from domain.windows import plan_windows
from tests.e2e.service import Service
from tests.recordings import looped

JOBS = int(os.environ.get("COLLOQUY_TEST_JOBS", "8"))  # noqa: TID251 - from 50 on, throughput is judged
LEAST_OF_BASELINE = 0.8
SCRIPTED = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "MAX_WORKERS": "2", "ENGINE_EXPRESS_MB": "0"}
FORM = {"diarization": "false"}


def late(recording: Path, target: Path) -> Path:
    """The same with three seconds of silence before it, so that its window starts where no other's does."""
    with wave.open(str(recording), "rb") as source, wave.open(str(target), "wb") as file:
        file.setparams(source.getparams())
        file.writeframes(bytes(3 * SAMPLE_RATE * 2) + source.readframes(source.getnframes()))
    return target


def first_window(recording: Path, folder: Path) -> int:
    """Where its first window starts, in ms."""
    limits = DecodeLimits(max_duration=600_000, max_memory=1 << 30, max_seconds=60.0)
    folder.mkdir()
    audio = AvDecoder().decode(recording, folder, limits, lambda _: None).mix
    return plan_windows(SileroVad().speech(audio, lambda _: None), 300_000)[0].start


def throughput(service: Service, good: Path, poison: Path | None) -> tuple[float, str]:
    """Return the good jobs' per second, and the poison's id."""
    began = time.monotonic()
    bad = service.submit(poison, FORM) if poison else ""
    tasks = [service.submit(good, FORM) for _ in range(JOBS - 1)]
    ended = [service.wait(task, patience=30 + 3 * JOBS) for task in tasks]
    assert {(status["status"], status["attempt"], status["quarantined"]) for status in ended} == {("done", 1, False)}
    return (JOBS - 1) / (time.monotonic() - began), bad


@pytest.mark.slow
@pytest.mark.timeout(120 + 6 * JOBS)
def test_r04_a_recording_that_kills_is_set_apart_and_the_others_flow(tmp_path: Path) -> None:
    good = looped(tmp_path / "good.wav", 5)
    poison = late(good, tmp_path / "poison.wav")
    start = first_window(poison, tmp_path / "decoded")
    assert start != first_window(good, tmp_path / "decoded too")
    with Service(tmp_path / "data", ASR_SCRIPT=f"sleep:0.5;segfault@{start}ms", **SCRIPTED) as service:
        service.wait(service.submit(good, FORM))  # the engines are up
        baseline, _ = throughput(service, good, None)
        beside, bad = throughput(service, good, poison)
        ended = service.wait(bad, patience=60)
        assert service.wait(service.submit(good, FORM))["status"] == "done"
        time.sleep(2)
        assert service.status(bad) == ended, "nobody picks it up again"
    print(f"{JOBS} jobs: {baseline:.2f} a second alone, {beside:.2f} beside one that kills")  # noqa: T201
    assert (ended["status"], ended["error"]["code"], ended["quarantined"]) == ("error", "worker_crashed", True)
    history = [(past["outcome"], past["code"], past["stage"]) for past in ended["attempts"]]
    assert history == [("failed", "worker_crashed", "window")] * 3
    if JOBS >= 50:
        assert beside >= LEAST_OF_BASELINE * baseline
