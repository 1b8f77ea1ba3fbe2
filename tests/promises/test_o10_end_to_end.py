"""O-10: a fault of a real installation reaches a receiver through the real Prometheus and Alertmanager, and clears.

The files are those that are shipped; only waiting is shorter, and addresses stand in the place of DNS names.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.cluster import Cluster, until
from tests.promises.test_o10_alerts import FOREIGN, SHIPPED, shown
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer
from tests.servers.prometheus import Alertmanager, Prometheus
from tests.servers.redis import RedisServer
from tests.servers.webhook_receiver import Receiver

RECORDING = Path(__file__).parents[1] / "data" / "call.flac"
FAULT = "ColloquyNoWorkerAlive"


def routed_to(receiver: Receiver) -> dict[str, Any]:
    """What is shipped, with one receiver for everything that is critical, told at once."""
    configuration: dict[str, Any] = yaml.safe_load((SHIPPED / "alertmanager" / "alertmanager.yml").read_text())
    [critical] = configuration["route"]["routes"]
    critical |= {"group_wait": "0s", "group_interval": "1s"}
    [pager] = [each for each in configuration["receivers"] if each["name"] == critical["receiver"]]
    pager["webhook_configs"] = [{"url": receiver.url("/alerts"), "send_resolved": True}]
    return configuration


def watching(ports: dict[str, int], alertmanager: Alertmanager, folder: Path) -> dict[str, Any]:
    """What is shipped, each second, with addresses for names and a second for minutes of patience."""
    configuration: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus" / "prometheus.yml").read_text())
    configuration["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s")
    ports = ports | {"alertmanager": alertmanager.port}
    for job in configuration["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [
            {"targets": [f"127.0.0.1:{port}"]} for name, port in ports.items() if name == job["job_name"]
        ]
    configuration["alerting"] = {
        "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]
    }
    for rules in sorted((SHIPPED / "prometheus" / "rules").glob("*.yml")):
        (folder / rules.name).write_text(re.sub(r"for: \d+m", "for: 1s", rules.read_text()))
    configuration["rule_files"] = [str(folder / "*.yml")]
    return configuration


def told(receiver: Receiver, status: str) -> Callable[[], bool]:
    """Whether Alertmanager has told that the fault is there (`firing`) or over (`resolved`)."""

    def has_been() -> bool:
        messages = [json.loads(each.body) for each in receiver.of("/alerts")]
        return any(
            alert["status"] == status and alert["labels"]["alertname"] == FAULT
            for message in messages
            for alert in message["alerts"]
        )

    return has_been


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_o10_a_worker_that_is_gone_is_told_of_until_it_is_back(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    ports = {name: free_port() for name in ("colloquy-api", "colloquy-worker", "prometheus")}
    (tmp_path / "rules").mkdir()
    with (
        Receiver() as receiver,
        Alertmanager(routed_to(receiver)) as alertmanager,
        Prometheus(watching(ports, alertmanager, tmp_path / "rules"), port=ports["prometheus"]) as prometheus,
        postgres.database() as database,
        Cluster(tmp_path, database_url=database, queue_url=redis.url(), ENGINE_PRELOAD="") as cluster,
    ):
        api = cluster.api(METRICS_PORT=str(ports["colloquy-api"]))
        worker = cluster.worker(METRICS_PORT=str(ports["colloquy-worker"]))
        api.wait(api.submit(RECORDING))
        until(lambda: len(prometheus.query("colloquy:slots:sum")) == 2, seconds=60, what="a worker that is seen")
        assert FAULT not in prometheus.firing()
        worker.kill()
        waiting = cluster.submit_many(RECORDING, 2)
        until(told(receiver, "firing"), seconds=90, what="somebody who is told")
        assert FAULT in prometheus.firing()
        worker.start()
        assert set(cluster.wait_all(waiting, patience=90).values()) == {"done"}
        until(told(receiver, "resolved"), seconds=90, what="word that it is over")
        assert FAULT not in prometheus.firing()
        scraped = {each["metric"]["__name__"] for each in prometheus.query('{__name__=~".+"}')}
        assert {name for name in scraped if name.startswith("colloquy_")} <= set(shown())
        assert set(FOREIGN) <= scraped, "numbers of others that rules ask for"
