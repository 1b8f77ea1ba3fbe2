"""R-09: the broker is away or swallows everything while tasks come in; they are taken at once, and rung later."""

import time
from pathlib import Path

import pytest
from redis import Redis

from tests.e2e.cluster import Cluster, until
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

RECORDING = Path(__file__).parents[1] / "data" / "conversation.flac"
MESSAGES = "colloquy:inference.cpu.msgs"


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("fault", ["refused", "swallowed"])
def test_r09_submitting_waits_for_no_broker(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer, fault: str
) -> None:
    with Redis.from_url(redis.url(database=9)) as client, FaultProxy(redis.port) as proxy:
        client.flushdb()
        url = redis.url(port=proxy.port, database=9)
        with postgres.database() as database, Cluster(tmp_path, database_url=database, queue_url=url) as cluster:
            api = cluster.api()
            api.submit(RECORDING)
            until(lambda: client.hlen(MESSAGES) == 1, seconds=5, what="the bell of a healthy broker")
            proxy.refuse() if fault == "refused" else proxy.swallow()
            proxy.reset()
            took, tasks = [], []
            for _ in range(10):
                begun = time.monotonic()
                tasks.append(api.submit(RECORDING, {"diarization": "false"}))
                took.append(time.monotonic() - begun)
            assert max(took) < 1.0, took
            assert {api.status(task)["status"] for task in tasks} == {"queued"}
            time.sleep(6)  # until those rings are stale
            client.flushdb()
            proxy.heal()
            later = until(lambda: client.hlen(MESSAGES) >= 11, seconds=25, what="the sweep's bells")
            cluster.worker()
            assert set(cluster.wait_all(tasks, patience=60).values()) == {"done"}
    print(f"{fault}: slowest of 10 submissions {max(took):.2f} s; rung {later:.1f} s after the broker was back")  # noqa: T201
