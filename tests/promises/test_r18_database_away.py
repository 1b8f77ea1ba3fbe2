"""R-18: PostgreSQL restarts, or the way to it swallows everything: jobs go on, callers are told, nothing is lost."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.e2e.cluster import Cluster, until
from tests.e2e.service import Service
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
HOLE_SECONDS = float(os.environ.get("COLLOQUY_TEST_HOLE_SECONDS", "8"))  # noqa: TID251 - a longer one for a release
LEASE_SECONDS = 30
RENEW_SECONDS = 10
SCRIPT = {
    "ENGINE_WINDOW_SECONDS": "3",
    "ASR_SCRIPT": "sleep:1.5",
    "MAX_WORKERS": "4",
    "DIARIZATION_SCRIPT": "sleep:0.2",
}


class Load:
    """A caller who submits again and again from a thread, and keeps what was accepted and what was refused."""

    def __init__(self, api: Service, recording: Path) -> None:
        self._api, self._recording = api, recording
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._submit)
        self.accepted: list[str] = []
        self.refused: list[httpx.Response] = []

    def _submit(self) -> None:
        while not self._over.wait(0.5):
            with self._api.client() as client, self._recording.open("rb") as media:
                answer = client.post("/api/v1/transcribe", files={"file": ("a.flac", media)})
            if answer.status_code == 202:
                self.accepted.append(answer.json()["task_id"])
            else:
                self.refused.append(answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)


@pytest.fixture
def mortal() -> Iterator[PostgresServer]:
    with PostgresServer(durable=True) as server:
        yield server


@contextmanager
def cluster_behind(proxy: FaultProxy, database: str, redis: RedisServer, tmp_path: Path) -> Iterator[Cluster]:
    url = database.replace(f":{database.rpartition(':')[2].partition('/')[0]}/", f":{proxy.port}/")
    with Cluster(tmp_path, database_url=url, queue_url=redis.url(), **SCRIPT) as cluster:
        cluster.api()
        cluster.worker()
        yield cluster


def parts_down(api: Service) -> set[str]:
    with api.client() as client:
        answer = client.get("/health/ready")
    down = {part for part, state in answer.json()["parts"].items() if state != "ok"}
    assert answer.status_code == (503 if down else 200), answer.text
    return down


def told_to_come_back(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_r18_a_crash_of_postgres_under_load_loses_nothing(
    tmp_path: Path, mortal: PostgresServer, redis: RedisServer
) -> None:
    recording = Path(shutil.copy(CONVERSATION, tmp_path))
    with (
        mortal.database() as database,
        FaultProxy(mortal.port) as proxy,
        cluster_behind(proxy, database, redis, tmp_path) as cluster,
    ):
        api = cluster.api()
        running = api.submit(recording)
        api.wait(running, until=("processing",))
        with Load(api, recording) as load:
            time.sleep(1.5)
            mortal.stop(signal.SIGQUIT)
            time.sleep(1)  # for which the last answer is kept
            assert parts_down(api) == {"database"}
            time.sleep(1.5)
            mortal.start()
            back = until(lambda: not parts_down(api), seconds=10, what="readiness")
            time.sleep(1.5)
        ended = [api.wait(task, patience=90) for task in (running, *load.accepted)]
    assert {status["status"] for status in ended} == {"done"}
    assert ended[0]["attempt"] == 1, "the lease outlasted the restart"
    assert load.accepted, "nobody asked while the server was up"
    assert load.refused, "nobody asked while the server was down"
    assert all(map(told_to_come_back, load.refused)), [answer.text for answer in load.refused]
    assert back < 10


@pytest.mark.slow
@pytest.mark.timeout(300 + 2 * HOLE_SECONDS)
def test_r18_a_black_hole_before_postgres_is_named_and_outlived(
    tmp_path: Path, mortal: PostgresServer, redis: RedisServer
) -> None:
    recording = Path(shutil.copy(CONVERSATION, tmp_path))
    with (
        mortal.database() as database,
        FaultProxy(mortal.port) as proxy,
        cluster_behind(proxy, database, redis, tmp_path) as cluster,
    ):
        api = cluster.api()
        running = api.submit(recording)
        api.wait(running, until=("processing",))
        time.sleep(1.5)
        answers: list[httpx.Response] = []

        def ask() -> None:
            with api.client() as client:
                answers.append(client.get(f"/api/v1/status/{running}"))

        proxy.swallow()
        begun = time.monotonic()
        asking = threading.Thread(target=ask)
        asking.start()
        named = until(lambda: parts_down(api) == {"database"}, seconds=10, what="unreadiness")
        time.sleep(max(0.0, HOLE_SECONDS - (time.monotonic() - begun)))
        proxy.heal()
        asking.join(30)
        back = until(lambda: not parts_down(api), seconds=20, what="readiness")
        later = api.submit(recording)
        ended = [api.wait(task, patience=120) for task in (running, later)]
    assert {status["status"] for status in ended} == {"done"}
    assert ended[0]["attempt"] == 1 or HOLE_SECONDS > LEASE_SECONDS - RENEW_SECONDS
    assert all(answer.status_code == 200 or told_to_come_back(answer) for answer in answers)
    assert len(answers) == 1
    assert named < 5
    assert back < 20
