"""R-06: a worker is frozen for longer than its lease; others take over, and when it wakes it can write nothing more."""

import signal
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.adapters.processes import children, running, wait_until
from tests.e2e.cluster import Cluster
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
TAKEN_OVER_SECONDS = 30 + 10 + 5
"""The lease, a sweep, and slack."""


def rows(url: str) -> dict[str, tuple[Any, ...]]:
    """What the database holds of each task."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT id, version, status, token, revision, media, attempts FROM tasks").fetchall()
    return {str(row[0]): row[1:] for row in found}


def outcomes(status: dict[str, Any]) -> list[str]:
    return [attempt["outcome"] for attempt in status["attempts"]]


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_r06_a_worker_that_wakes_after_its_lease_leaves_everything_to_its_successor(
    postgres: PostgresServer, redis: RedisServer, tmp_path: Path
) -> None:
    with (
        postgres.database() as database,
        Cluster(
            tmp_path, database_url=database, queue_url=redis.url(), ENGINE_WINDOW_SECONDS="3", ENGINE_EXPRESS_MB="0",
            ASR_SCRIPT="sleep:0.8", MAX_WORKERS="2",
        ) as cluster,
    ):  # fmt: skip
        api, frozen = cluster.api(), cluster.worker("frozen")
        first, second = (api.submit(CONVERSATION, {"diarization": "false"}) for _ in range(2))
        wait_until(lambda: api.status(first)["progress"] > 5, seconds=20)
        assert api.status(second)["status"] == "processing"
        folders = set((tmp_path / "data" / "work").rglob("*.1"))
        assert len(folders) == 2
        frozen.send(signal.SIGSTOP)
        began = time.monotonic()
        successor = cluster.worker("successor")
        wait_until(
            lambda: all(api.status(task)["attempt"] == 2 for task in (first, second)), seconds=TAKEN_OVER_SECONDS + 5
        )
        taken_over = time.monotonic() - began
        wait_until(lambda: "done" in {api.status(task)["status"] for task in (first, second)}, seconds=60)
        early, late = sorted((first, second), key=lambda task: api.status(task)["status"])
        assert (api.status(early)["status"], api.status(late)["status"]) == ("done", "processing")
        result, row = api.result(early).content, rows(database)[early]
        frozen.send(signal.SIGCONT)
        wait_until(lambda: frozen.log.count("task_lost") == 2, seconds=15)
        wait_until(lambda: not any(path.exists() for path in folders), seconds=5)
        api.wait(late)
        assert [outcomes(api.status(task)) for task in (early, late)] == [["crashed", "completed"]] * 2
        assert (api.result(early).content, rows(database)[early]) == (result, row), "nothing was written over it"
        names = {task: api.status(task)["attempts"][1]["worker"] for task in (early, late)}
        successor.kill()
        # It is as good a worker as before.
        again = api.wait(api.submit(CONVERSATION, {"diarization": "false"}))
        assert again["attempts"][0]["worker"] == api.status(early)["attempts"][0]["worker"]
        assert again["attempts"][0]["worker"] not in names.values()
        assert all(running(child) for child in children(frozen.pid))
    print(f"taken over after {taken_over:.1f} s")  # noqa: T201
    assert taken_over <= TAKEN_OVER_SECONDS
