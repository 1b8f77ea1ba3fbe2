"""R-13: workers are told to end, one by one, while a long job runs; it goes on elsewhere, its attempt still 1."""

import os
import time
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster, Worker, until
from tests.e2e.history import History
from tests.recordings import looped
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

RESTARTS = int(os.environ.get("COLLOQUY_TEST_RESTARTS", "3"))  # noqa: TID251 - a longer run for a release
JOB_SECONDS = int(os.environ.get("COLLOQUY_TEST_JOB_SECONDS", "12"))  # noqa: TID251 - as above
"""What the job takes undisturbed."""


def windows(counter: Path) -> list[str]:
    return [line for line in counter.read_text().splitlines() if line.startswith("call ")] if counter.exists() else []


@pytest.mark.slow
@pytest.mark.timeout(120 + 40 * RESTARTS + 2 * JOB_SECONDS)
def test_r13_rolling_restarts_cost_a_job_no_attempt(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    counter, length = tmp_path / "counter", max(60, 12 * RESTARTS, JOB_SECONDS // 2)
    recording = looped(tmp_path / "long.wav", length)
    script = {
        "ENGINE_WINDOW_SECONDS": "3",
        "ASR_SCRIPT": f"sleep:{3 * JOB_SECONDS / length:.2f};counter={counter}",
        "DIARIZATION_SCRIPT": "sleep:0.2",
    }
    released, taken_up, exits = [], [], []
    with (
        postgres.database() as url,
        Cluster(tmp_path, database_url=url, queue_url=redis.url(), **script) as cluster,
    ):
        api = cluster.api()
        with History(url) as history:
            workers = [cluster.worker("blue"), cluster.worker("green")]

            def holder() -> Worker | None:
                held_by = history.holder(task)
                return next((worker for worker in workers if worker.process and worker.pid == held_by), None)

            task = api.submit(recording)
            for number in range(RESTARTS):
                until(lambda: holder() is not None, seconds=60, what=f"a worker that holds the job, time {number}")
                seen = len(windows(counter))
                until(lambda: len(windows(counter)) >= seen + 2, seconds=60, what="a stored window")  # noqa: B023
                time.sleep(JOB_SECONDS / (RESTARTS + 2) / 2)
                leaving = holder()
                assert leaving is not None
                assert api.status(task)["attempt"] == 1
                told, begun, changes = history.now(), time.monotonic(), len(history.changes(task))
                exits.append(leaving.stop(patience=30))
                assert time.monotonic() - begun <= 30
                until(lambda: len(history.changes(task)) >= changes + 2, seconds=60, what="another worker")  # noqa: B023
                back, again = history.changes(task)[changes : changes + 2]
                assert (back.after, again.after) == ("queued", "processing")
                released.append((back.at - told).total_seconds())
                taken_up.append((again.at - back.at).total_seconds())
                leaving.start(wait=False)
            status = api.wait(task, patience=60 + 2 * JOB_SECONDS)
            words = api.result(task, "text").text.split()
    figures = {
        "restarts": RESTARTS,
        "slowest release": max(released),
        "slowest to go on": max(taken_up),
        "windows repeated": len(windows(counter)) - len(set(windows(counter))),
        "windows": len(set(windows(counter))),
    }
    (tmp_path / "figures").write_text(f"{figures}\n")
    assert (status["status"], status["attempt"]) == ("done", 1), figures
    assert exits == [0] * RESTARTS
    assert figures["slowest release"] <= 10, figures
    assert figures["windows repeated"] <= RESTARTS, figures
    spoken = [int(word.strip(".").removeprefix("word")) for word in words if word.startswith("word")]
    assert spoken == sorted(set(spoken)), "each word once, in order"
