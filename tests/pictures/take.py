"""Takes the pictures of the dashboards: an installation at work, a real Prometheus that looks on, and some mishaps.

`python -m tests.pictures.take --to FOLDER`. Recordings, engines, servers and faults are real; no GPU is needed.
"""

import argparse
import math
import random
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_bytes
from typing import Any

import httpx
import psutil
import yaml

from infrastructure.observability.grafana.dashboards import FOLDER
from tests.e2e.cluster import Cluster
from tests.e2e.service import Service, environment
from tests.pictures.draw import Window, draw
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer
from tests.servers.prometheus import Alertmanager, Prometheus
from tests.servers.redis import RedisServer
from tests.servers.webhook_receiver import Received, Receiver, Reply

PROJECT = FOLDER.parents[3]
RULES = PROJECT / "infrastructure" / "observability" / "prometheus" / "rules"
ALERTMANAGER = RULES.parents[1] / "alertmanager" / "alertmanager.yml"
DATA = PROJECT / "tests" / "data"
JOBS = {
    "api": "colloquy-api", "worker-1": "colloquy-worker", "worker-2": "colloquy-worker", "sweeper": "colloquy-sweeper",
}  # fmt: skip
WORK = {
    "ASR_ENGINE": "faster_whisper", "ASR_MODEL": "tests/data/small-whisper", "DIARIZATION_ENGINE": "acoustic",
    "MAX_WORKERS": "3",
}  # fmt: skip
SCRAPE = 2.0


def configuration(ports: dict[str, int]) -> dict[str, Any]:
    """What is scraped, each process under the name that it has in an installation; the rules are the shipped ones."""
    jobs: dict[str, list[dict[str, Any]]] = {}
    for name, port in ports.items():
        target = {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": f"{name}:9464"}}
        jobs.setdefault(JOBS.get(name, name), []).append(target)
    every = f"{SCRAPE:.0f}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": "5s"},
        "rule_files": [str(RULES / "*.yml")],
        "scrape_configs": [{"job_name": job, "static_configs": targets} for job, targets in jobs.items()],
    }


@contextmanager
def sweeper(data: Path, settings: dict[str, str]) -> Iterator[None]:
    """Run `colloquy sweeper` for as long as the context lasts."""
    command = [str(Path(sys.executable).with_name("colloquy")), "sweeper"]
    with data.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, env=environment(data) | settings, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


class Day:
    """What happens in the installation, second by second; seeded, so that each run is much like the last."""

    def __init__(self, cluster: Cluster, api: Service, postgres: PostgresServer, hooks: str) -> None:
        self._cluster = cluster
        self._postgres = postgres
        self._dice = random.Random(11)
        self._client = api.client()
        self._stranger = httpx.Client(base_url=api.base, trust_env=False, timeout=20)
        self._tasks: list[str] = []
        self._client.post("/api/v1/webhooks", json={"url": hooks, "events": []}).raise_for_status()

    def close(self) -> None:
        self._client.close()
        self._stranger.close()

    def second(self, number: int, of: int) -> None:
        """Do what this second brings: more at noon than in the morning."""
        busy = 0.06 + 0.5 * math.sin(math.pi * number / of) ** 2
        if self._dice.random() < busy:
            self._submit()
        for _ in range(self._dice.randrange(1, 9)):
            self._read()
        if self._dice.random() < 0.01:
            self._client.post("/api/v1/transcribe", files={"file": ("notes.mp3", b"not audio at all " * 100)})
        if number % 60 < 8:
            for _ in range(8):
                self._stranger.get("/api/v1/tasks", headers={"Authorization": "Bearer guessed"})
        self._mishap(number, of)

    def _mishap(self, number: int, of: int) -> None:
        """The database is away, engines die, and a worker is killed that nobody starts again."""
        if number == of // 5:
            self._postgres.stop(signal.SIGQUIT)
        elif number == of // 5 + 75:
            self._postgres.start()
        elif number in {of // 2, of // 2 + 20, of // 2 + 30, of - 90, of - 60, of - 40}:
            self._kill_an_engine()
        elif number == of - 230:
            self._cluster.workers["worker-2"].kill()

    def _submit(self) -> None:
        file = DATA / self._dice.choice(("call.flac", "call.flac", "conversation.flac"))
        with file.open("rb") as recording:
            answer = self._client.post(
                "/api/v1/transcribe",
                files={"file": (file.name, recording)},
                data={"diarization": "true", "num_speakers": "2"},
            )
        if answer.status_code == 202:
            self._tasks.append(answer.json()["task_id"])

    def _read(self) -> None:
        task = self._dice.choice([*self._tasks[-20:], "0199aaaa-0000-7000-8000-000000000000"])
        path = self._dice.choice(
            (
                f"/api/v1/status/{task}",
                f"/api/v1/status/{task}",
                f"/api/v1/result/{task}",
                "/api/v1/tasks",
                "/api/v1/models",
            )
        )
        self._client.get(path)

    def _kill_an_engine(self) -> None:
        children = psutil.Process(self._cluster.workers["worker-1"].pid).children()
        if children:
            max(children, key=lambda child: child.cpu_times().user).kill()


def some_fail(received: Received) -> Reply:
    """Answer a fifth of the webhooks with an error."""
    return Reply(503 if received.headers["webhook-id"][-1] in "05a" else 204)


def take(minutes: float, folder: Path) -> None:
    """Run it, and draw what Prometheus saw."""
    ports = {name: free_port() for name in JOBS}
    with ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colloquy-pictures-")))
        postgres, redis = stack.enter_context(PostgresServer(durable=True)), stack.enter_context(RedisServer())
        receiver = stack.enter_context(Receiver(some_fail))
        settings = {
            "EGRESS_ALLOW": "127.0.0.1", "WEBHOOKS_ALLOW_HTTP": "true", "LIMIT_STRANGERS": "40",
            "INSTALLATION_SECRET": b64encode(token_bytes(32)).decode(),
        }  # fmt: skip
        database = stack.enter_context(postgres.database())
        cluster = stack.enter_context(Cluster(tmp, database_url=database, queue_url=redis.url(), **(WORK | settings)))
        api = cluster.api(METRICS_PORT=str(ports["api"]))
        for name in ("worker-1", "worker-2"):
            cluster.worker(name, METRICS_PORT=str(ports[name]))
        stack.enter_context(sweeper(tmp / "sweeper", cluster.settings | {"METRICS_PORT": str(ports["sweeper"])}))
        alertmanager = stack.enter_context(Alertmanager(yaml.safe_load(ALERTMANAGER.read_text())))
        ports |= {"alertmanager": alertmanager.port}
        prometheus = stack.enter_context(Prometheus(configuration(ports)))
        day = Day(cluster, api, postgres, receiver.url())
        stack.callback(day.close)
        begun, seconds = time.time(), round(minutes * 60)
        for number in range(seconds):
            with suppress(httpx.HTTPError):  # what is down does not answer
                day.second(number, seconds)
            time.sleep(max(0.0, begun + number + 1 - time.time()))
        window = Window(prometheus, start=begun, end=time.time(), scrape=SCRAPE)
        note = f"{minutes:g} minutes of a small installation, {time.strftime('%Y-%m-%d', time.gmtime(begun))}"
        for empty in draw(FOLDER, window, folder, note):
            sys.stdout.write(f"nothing to see in {empty}\n")
        sys.stdout.write(f"alerts that fire: {', '.join(sorted(prometheus.firing())) or 'none'}\n")
        known = {each["metric"]["__name__"] for each in prometheus.query('{__name__=~"colloquy_.+"}')}
        sys.stdout.write(f"{len(known)} series names, {receiver.connections} webhooks\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--to", type=Path, required=True)
    chosen = parser.parse_args()
    take(chosen.minutes, chosen.to.resolve())
