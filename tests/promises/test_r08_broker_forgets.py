"""R-08: the broker forgets everything, by FLUSHALL and by `kill -9`; every task that was accepted still runs."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster, until
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitMQServer
from tests.servers.redis import RedisServer

RECORDING = Path(__file__).parents[1] / "data" / "conversation.flac"
TASKS = int(os.environ.get("COLLOQUY_TEST_QUEUED", "24"))  # noqa: TID251 - a hundred for a release
PROMISED_SECONDS = 45


@contextmanager
def queued(tmp: Path, database: str, url: str) -> Iterator[tuple[Cluster, list[str]]]:
    """An API with so many queued tasks, and no worker yet."""
    with Cluster(
        tmp, database_url=database, queue_url=url, ASR_SCRIPT="sleep:2", MAX_WORKERS="2", LOG_LEVEL="debug"
    ) as cluster:
        api = cluster.api()
        yield cluster, [api.submit(RECORDING, {"diarization": "false"}) for _ in range(TASKS)]


def claims(cluster: Cluster) -> int:
    return cluster.logs.count("task_claimed")


@pytest.mark.slow
@pytest.mark.timeout(90 + 3 * TASKS)
def test_r08_redis_is_flushed_and_killed_with_tasks_queued(tmp_path: Path, postgres: PostgresServer) -> None:
    with RedisServer() as redis, postgres.database() as database:
        with queued(tmp_path, database, redis.url()) as (cluster, tasks):
            redis.flush()
            cluster.worker("one")
            after_flush = until(lambda: claims(cluster) > 0, seconds=PROMISED_SECONDS, what="the first start")
            redis.flush()
            redis.kill()
            cluster.worker("two")  # starts without a broker
            time.sleep(2)
            redis.start()
            before = claims(cluster)
            after_kill = until(lambda: claims(cluster) > before, seconds=PROMISED_SECONDS, what="a start after that")
            redis.flush()
            assert list(cluster.wait_all(tasks, patience=30 + 2 * TASKS).values()) == ["done"] * TASKS
            assert claims(cluster) == TASKS, "each ran once"
            bells_are_heard(cluster)
        print(f"{TASKS} of {TASKS} done; first start {after_flush:.2f} s after FLUSHALL, "  # noqa: T201
              f"{after_kill:.2f} s after the restart")  # fmt: skip


def bells_are_heard(cluster: Cluster) -> None:
    """Submit one more, and wait until a worker was woken for it: those who ask by themselves hear nothing."""
    before = cluster.logs.count("bell_heard")
    task = cluster.api().submit(RECORDING, {"diarization": "false"})
    until(lambda: cluster.logs.count("bell_heard") > before, seconds=15, what="its bell")
    cluster.wait_all([task], patience=60)


@pytest.mark.slow
@pytest.mark.timeout(150 + 3 * TASKS)
def test_r08_rabbitmq_is_killed_and_comes_back_empty(tmp_path: Path, postgres: PostgresServer) -> None:
    with RabbitMQServer() as rabbitmq, postgres.database() as database:
        with queued(tmp_path, database, rabbitmq.url()) as (cluster, tasks):
            rabbitmq.kill()
            cluster.worker("one")
            until(lambda: claims(cluster) > 0, seconds=PROMISED_SECONDS, what="a start without a broker")
            assert cluster.worker("one").stop() == 0
            assert claims(cluster) < TASKS
            rabbitmq.start(empty=True)
            before = claims(cluster)
            cluster.worker("one", wait=False)
            after_kill = until(lambda: claims(cluster) > before, seconds=PROMISED_SECONDS, what="a start after that")
            assert list(cluster.wait_all(tasks, patience=30 + 2 * TASKS).values()) == ["done"] * TASKS
            assert claims(cluster) - cluster.logs.count("status=queued") == TASKS, (
                "but for those given back, each ran once"
            )
            bells_are_heard(cluster)
        print(f"{TASKS} of {TASKS} done; first start {after_kill:.2f} s after the restart")  # noqa: T201
