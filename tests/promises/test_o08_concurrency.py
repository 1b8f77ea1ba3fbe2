"""O-08: a hundred submits at once on one device: as many calls run as were allowed, in the order they came."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.service import Service
from tests.recordings import looped

TASKS = int(os.environ.get("COLLOQUY_TEST_SUBMITS", "100"))  # noqa: TID251 - a shorter run while developing
CONCURRENCY, IN_FLIGHT = 2, 6


def most_at_once(counter: Path) -> int:
    """How many calls ran at the same time at most, by the order of their first and last acts."""
    now = most = 0
    for line in counter.read_text(encoding="ascii").splitlines():
        now += {"act 0": 1, "act 1": -1}.get(line, 0)
        most = max(most, now)
    return most


def submit_all(service: Service, recording: Path) -> list[str]:
    """Everybody at once, as the gun goes off; the ids."""
    gun = threading.Barrier(TASKS)
    content = recording.read_bytes()

    def submit(_: int) -> str:
        with service.client() as client:
            gun.wait(60)
            answer = client.post("/api/v1/transcribe", files={"file": ("clip.wav", content)},
                                 data={"diarization": "false"})  # fmt: skip
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    with ThreadPoolExecutor(TASKS) as crowd:
        return list(crowd.map(submit, range(TASKS)))


def rows(client: httpx.Client, tasks: list[str]) -> list[dict[str, Any]]:
    return [client.get(f"/api/v1/status/{task}").json() for task in tasks]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_o08_a_hundred_submits_at_once_run_no_more_calls_than_allowed(tmp_path: Path) -> None:
    """The script's second act costs nothing: it marks the end of a call. A GPU gets no express child beside."""
    counter, clip = tmp_path / "counter", looped(tmp_path / "clip.wav", 5)
    settings = {
        "ASR_ENGINE": "scripted", "ASR_SCRIPT": f"sleep:0.2;sleep:0;counter={counter};device=cuda:0",
        "DIARIZATION_ENGINE": "scripted", "ENGINE_CONCURRENCY": str(CONCURRENCY), "MAX_WORKERS": str(IN_FLIGHT),
    }  # fmt: skip
    in_flight = 0
    with Service(tmp_path / "data", **settings) as service:
        tasks = submit_all(service, clip)
        with service.client() as client:
            left = list(tasks)
            while left:
                page = client.get("/api/v1/tasks", params={"limit": 100}).json()["tasks"]  # all of one instant
                states = {row["task_id"]: row["status"] for row in page}
                in_flight = max(in_flight, sum(status == "processing" for status in states.values()))
                assert set(states.values()) <= {"queued", "processing", "done"}
                left = [task for task in left if states.get(task) != "done"]
            ended = rows(client, tasks)
    handed_in = sorted(ended, key=lambda row: row["created_at"])
    ranks = {row["task_id"]: rank for rank, row in enumerate(sorted(ended, key=lambda row: row["finished_at"]))}
    moved = sorted(abs(ranks[row["task_id"]] - rank) for rank, row in enumerate(handed_in))
    passed = moved[len(moved) * 95 // 100]  # a decoder that the machine kept waiting is no unfairness
    print(f"calls at once {most_at_once(counter)}, tasks in flight {in_flight}, moved {passed}, {moved[-1]}")  # noqa: T201
    assert most_at_once(counter) == CONCURRENCY
    assert {row["status"] for row in ended} == {"done"}
    assert {row["attempt"] for row in ended} == {1}
    assert CONCURRENCY < in_flight <= IN_FLIGHT
    assert passed <= 2 * IN_FLIGHT
