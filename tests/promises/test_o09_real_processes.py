"""O-09: what an API and a worker show is what the database says, before and after `kill -9`, and without the database.

Real processes over PostgreSQL and Redis. Every figure of the installation is compared with SQL of this test's own.
"""

import base64
import secrets
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from adapters.observability.whole import FRESH_SECONDS
from tests.e2e.cluster import Cluster, Worker, until
from tests.e2e.history import History
from tests.recordings import looped
from tests.scrapes import Scrape
from tests.servers.fault_proxy import FaultProxy
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

FORM = {"diarization": "false"}
ENDED = """
    SELECT CASE WHEN a->>'outcome' = 'crashed' THEN 'lease_expired'
        ELSE coalesce(nullif(a->>'code', ''), a->>'outcome') END, count(*)
    FROM tasks, json_array_elements(attempts::json) AS a WHERE a->>'outcome' <> 'running' GROUP BY 1"""
TRIED = "SELECT coalesce(sum(json_array_length(attempts::json)), 0) FROM deliveries"
Figures = dict[str, float]


def settings() -> dict[str, str]:
    return {
        "MAX_WORKERS": "2",
        "EGRESS_ALLOW": "127.0.0.1",
        "WEBHOOKS_ALLOW_HTTP": "true",
        "INSTALLATION_SECRET": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def scrape(port: int) -> Scrape:
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False)
    assert answer.status_code == 200
    return Scrape(answer.content)


def told(port: int) -> dict[str, Figures]:
    """What the process says of the installation."""
    shown = scrape(port)
    single = ("queue_depth", "tasks_running", "lease_expiries_total", "webhook_pending")
    figures = {name: {"": value} for name in single if (value := shown.value(f"colloquy_{name}")) is not None}
    tasks, attempts = shown.by("colloquy_tasks", "status"), shown.by("colloquy_attempts_total", "cause")
    return figures | {"tasks": some(tasks), "attempts": some(attempts)}


def true(history: History, deleted: dict[str, int]) -> dict[str, Figures]:
    """What SQL says; `deleted` are attempts of tasks that are gone."""
    attempts = Counter(dict(history.rows(ENDED))) + Counter(deleted)
    due = "SELECT count(*) FROM tasks WHERE status = 'queued' AND run_after <= now()"
    return {
        "tasks": dict(history.rows("SELECT status, count(*) FROM tasks GROUP BY status")),
        "attempts": dict(attempts),
        "queue_depth": {"": history.rows(due)[0][0]},
        "tasks_running": {"": history.rows("SELECT count(*) FROM tasks WHERE lease_until IS NOT NULL")[0][0]},
        "lease_expiries_total": {"": attempts["lease_expired"]},
        "webhook_pending": {"": history.rows("SELECT count(*) FROM deliveries WHERE state = 'pending'")[0][0]},
    }


def some(values: Figures) -> Figures:
    return {label: value for label, value in values.items() if value}


def promtool(port: int) -> None:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).content
    found = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


@dataclass
class Installation:
    """Its processes, the way to its database, and its truth; `deleted` are attempts of tasks that are gone."""

    cluster: Cluster
    proxy: FaultProxy
    history: History
    of_api: int
    of_worker: int
    good: Path
    deleted: dict[str, int] = field(default_factory=dict)

    def agreed(self) -> dict[str, Figures]:
        """Wait until the API has asked again, and return what it says: the very same as SQL."""
        end = time.monotonic() + 30
        while (said := told(self.of_api)) != true(self.history, self.deleted):
            assert time.monotonic() < end, f"{said} is not {true(self.history, self.deleted)}"
            time.sleep(0.5)  # it asks every five seconds
        return said

    def start(self, **settings: str) -> Worker:
        """Start the worker, after killing the one that runs."""
        worker = self.cluster.workers.get("worker")
        if worker is None:
            return self.cluster.worker(METRICS_PORT=str(self.of_worker))
        worker.kill()
        worker.settings = worker.settings | settings
        return worker.start()

    def delete(self, task: str) -> None:
        with self.cluster.api().client() as client:
            assert client.delete(f"/api/v1/tasks/{task}").status_code == 204

    def by_worker(self, name: str, label: str) -> Figures:
        return scrape(self.of_worker).by(f"colloquy_{name}", label)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_o09_figures_are_the_databases_through_kills_and_outages(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    with (
        postgres.database() as url,
        FaultProxy(postgres.port) as proxy,
        Cluster(tmp_path, database_url=url, queue_url=redis.url(), **settings()) as cluster,
    ):
        of_api = free_port()
        behind = url.replace(f":{postgres.port}/", f":{proxy.port}/")
        cluster.api(METRICS_PORT=str(of_api), DATABASE_URL=behind)
        with History(url) as history:
            good = looped(tmp_path / "good.wav", 4)
            here = Installation(cluster, proxy, history, of_api, free_port(), good)
            done = some_work(here, tmp_path / "bad.wav")
            the_workers_own(here)
            through_kills(here)
            through_a_deletion(here, done)
            through_an_outage(here)


def some_work(here: Installation, bad: Path) -> str:
    """Two recordings are done and one is refused; before that one waits, and another is deleted."""
    api = here.cluster.api()
    bad.write_bytes(b"no recording " * 30)
    with api.client() as client:
        hook = {"url": f"http://127.0.0.1:{free_port()}/nobody", "events": ["transcription.completed"]}
        assert client.post("/api/v1/webhooks", json=hook).status_code == 201
    here.delete(api.submit(here.good, FORM))
    waiting = api.submit(here.good, FORM)
    assert here.agreed()["queue_depth"] == {"": 1.0}
    here.start()
    ended = here.cluster.wait_all([waiting, api.submit(here.good, FORM), api.submit(bad, FORM)], patience=60)
    assert sorted(ended.values()) == ["done", "done", "error"]
    until(lambda: here.history.rows(TRIED)[0][0] == 2, seconds=20, what="an attempt at each webhook")
    attempts = here.agreed()["attempts"]
    assert attempts["completed"] == 2
    assert sum(attempts.values()) == 3
    return waiting


def the_workers_own(here: Installation) -> None:
    """What is the worker's own is what came of its own work."""
    assert some(here.by_worker("tasks_ended_total", "status")) == {"done": 2.0, "error": 1.0}
    assert here.by_worker("stage_seconds_count", "stage")["recognition"] == 2.0
    heard = here.history.rows("SELECT sum(duration) / 1000.0 FROM tasks WHERE status = 'done'")[0][0]
    assert here.by_worker("stage_audio_seconds_total", "stage")["decode"] == pytest.approx(float(heard), abs=0.01)
    assert some(here.by_worker("webhook_attempts_total", "outcome")) == {"failed": 2.0}
    assert here.by_worker("model_loads_total", "engine") == {"scripted": 1.0, "vad": 1.0}
    assert here.by_worker("slots", "state") == {"busy": 0.0, "free": 2.0}
    memory = here.by_worker("resident_memory_bytes", "process")
    assert all(memory[process] > 5_000_000 for process in ("parent", "asr", "vad"))
    assert scrape(here.of_worker).value("colloquy_queue_depth") is None, "the API and the sweeper say that"
    promtool(here.of_api)
    promtool(here.of_worker)


def through_kills(here: Installation) -> None:
    """The worker is killed, idle and then amid a task; its own figures begin anew, the database's go on."""
    first = here.agreed()
    here.start(ASR_SCRIPT="sleep:90")
    assert here.agreed() == first
    long = here.cluster.api().submit(here.good, FORM)
    until(lambda: here.by_worker("slots", "state")["busy"] == 1.0, seconds=30, what="work")
    assert here.agreed()["tasks_running"] == {"": 1.0}
    here.start(ASR_SCRIPT="")
    # Half a minute later, but for the waiting.
    expire = "UPDATE tasks SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL RETURNING id"
    assert len(here.history.rows(expire)) == 1
    assert here.cluster.api().wait(long, patience=60)["status"] == "done"
    second = here.agreed()
    assert second["attempts"] == first["attempts"] | {"completed": 3.0, "lease_expired": 1.0}
    assert second["lease_expiries_total"] == {"": 1.0}
    assert some(here.by_worker("tasks_ended_total", "status")) == {"done": 1.0}


def through_a_deletion(here: Installation, done: str) -> None:
    """What is deleted was counted."""
    before = here.agreed()
    here.delete(done)
    here.deleted["completed"] = 1
    after = here.agreed()
    assert after["attempts"] == before["attempts"]
    assert after["tasks"]["done"] == before["tasks"]["done"] - 1


def through_an_outage(here: Installation) -> None:
    """The database is a black hole, and then there again."""
    before = here.agreed()
    here.proxy.swallow()
    database = "colloquy_part_up"
    until(lambda: scrape(here.of_api).value(database, part="database") == 0.0, seconds=20, what="a 0")
    time.sleep(FRESH_SECONDS)
    began = time.monotonic()
    shown = scrape(here.of_api)
    took = time.monotonic() - began
    assert took < 4, "two seconds, and two for a slow machine"
    assert shown.value(database, part="database") == 0.0
    assert shown.by("colloquy_tasks", "status") == {}
    assert shown.by("colloquy_http_request_duration_seconds_count", "route")
    here.proxy.heal()
    here.proxy.reset()
    assert here.agreed() == before
