"""R-14: cancelling reaches an engine inside a native call: its process is killed in time, its memory back."""

import time
from functools import partial
from pathlib import Path

import pytest

from tests.adapters.processes import children, resident, running, wait_until
from tests.e2e.service import Service

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
HANGS = ("hang_in_c", "hang_gil_held", "hang_busy", "hang_gil_free")
BALLAST_MB = 150
BOUND_SECONDS = 10.0


def script(*hangs: str, counter: Path) -> str:
    """One call after another takes memory and hangs, each in its own way; later ones work."""
    acts = [f"leak:{BALLAST_MB}@{call};{hang}@{call}" for call, hang in enumerate(hangs, start=1)]
    return ";".join([*acts, f"counter={counter}"])


def acts(counter: Path) -> int:
    return sum(line.startswith("act ") for line in counter.read_text().splitlines()) if counter.exists() else 0


def acted(counter: Path, times: int) -> bool:
    return acts(counter) == times


def gone(pid: int) -> bool:
    return not running(pid)


def heavy(service: Service) -> set[int]:
    """The children that hold the ballast."""
    return {pid for pid in children(service.pid) if running(pid) and resident(pid) > BALLAST_MB * 1_000_000}


def cancel(service: Service, task: str) -> float:
    """Cancel and wait until it is so; return the seconds from the request on."""
    began = time.monotonic()
    with service.client() as client:
        assert client.post(f"/api/v1/tasks/{task}/cancel").status_code == 200
    assert service.wait(task, patience=BOUND_SECONDS + 5)["status"] == "cancelled"
    return time.monotonic() - began


def memory(service: Service) -> int:
    return sum(resident(pid) for pid in {service.pid, *children(service.pid)} if running(pid))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_r14_a_task_inside_a_native_call_is_cancelled_within_ten_seconds(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    settings = {
        "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ASR_SCRIPT": script(*HANGS, counter=counter),
    }  # fmt: skip
    with Service(tmp_path / "data", **settings) as service:
        took = []
        for number, _ in enumerate(HANGS, start=1):
            task = service.submit(CONVERSATION, {"diarization": "false"})
            wait_until(partial(acted, counter, 2 * number), seconds=20)
            time.sleep(0.5)  # it is inside the call now, not on its way there
            (child,) = heavy(service)
            before = memory(service)
            took.append(cancel(service, task))
            wait_until(partial(gone, child), seconds=2)
            assert before - memory(service) > 0.9 * BALLAST_MB * 1_000_000
            assert not heavy(service)
        after = service.wait(service.submit(CONVERSATION))
    print("cancelled after", [f"{name} {seconds:.2f} s" for name, seconds in zip(HANGS, took, strict=True)])  # noqa: T201
    assert max(took) < BOUND_SECONDS
    assert (after["status"], after["attempt"]) == ("done", 1)


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_r14_so_is_one_whose_diarizer_is_inside_one_while_recognition_waits_its_turn(tmp_path: Path) -> None:
    """Recognition of the first hangs, that of the second waits for its turn; the diarizer hangs in both."""
    counted, heard = tmp_path / "asr", tmp_path / "diarizer"
    settings = {
        "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_EXPRESS_MB": "0",
        "ASR_SCRIPT": script("hang_in_c", counter=counted),
        "DIARIZATION_SCRIPT": script("hang_gil_held", "hang_in_c", counter=heard),
    }  # fmt: skip
    with Service(tmp_path / "data", **settings) as service:
        first = service.submit(CONVERSATION)
        wait_until(lambda: acts(counted) == acts(heard) == 2, seconds=20)
        second = service.submit(CONVERSATION)
        while service.status(second)["phase"] not in {"transcribing", "diarizing"}:
            time.sleep(0.1)
        waiting = cancel(service, second)
        assert len(heavy(service)) == 2, "the first was left alone"
        assert service.status(first)["status"] == "processing"
        both = cancel(service, first)
        wait_until(lambda: not heavy(service), seconds=2)
        third = service.submit(CONVERSATION)
        wait_until(lambda: acts(heard) == 4, seconds=20)
        again = cancel(service, third)
        after = service.wait(service.submit(CONVERSATION))
    print(f"waiting {waiting:.2f} s, both engines {both:.2f} s, a diarizer alone {again:.2f} s")  # noqa: T201
    assert max(waiting, both, again) < BOUND_SECONDS
    assert after["status"] == "done"
