"""R-05: the same bell two to five times over two workers; each task is worked on once, the rest cost nothing."""

import random
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from dramatiq import Message
from redis import Redis

from adapters.queue.dramatiq import queue_name
from adapters.queue.dramatiq_brokers import make_broker
from application.ports.queue import Job
from tests.adapters.processes import children
from tests.e2e.cluster import Cluster, until
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

RECORDING = Path(__file__).parents[1] / "data" / "conversation.flac"
QUEUE = queue_name(Job.PROCESS_TASK, "cpu")
TASKS = 8
UNKNOWN = UUID("01a1fe54-0000-7000-8000-000000000000")


def ring(url: str, subject: str, times: int) -> None:
    broker = make_broker(url)
    for _ in range(times):
        broker.enqueue(
            Message(queue_name=QUEUE, actor_name=str(Job.PROCESS_TASK), args=(subject,), kwargs={}, options={})
        )
    broker.close()


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_r05_a_bell_that_is_delivered_again_and_again_is_answered_once(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    dice, url, counted = random.Random(5), redis.url(database=5), tmp_path / "calls"
    script = {"ASR_SCRIPT": f"sleep:1.5;counter={counted}", "MAX_WORKERS": "8"}
    with postgres.database() as database, Redis.from_url(url) as client:
        client.flushdb()
        with Cluster(tmp_path, database_url=database, queue_url=url, **script) as cluster:
            api = cluster.api()
            for name in ("one", "two"):
                cluster.worker(name)
            tasks = []
            for _ in range(TASKS):
                tasks.append(api.submit(RECORDING, {"diarization": "false"}))
                ring(url, tasks[-1], dice.randint(2, 5))
            ring(url, str(UNKNOWN), 2)
            settled = until(
                lambda: not client.exists(f"colloquy:{QUEUE}.msgs"), seconds=1.0, what="the end of all bells"
            )
            assert set(cluster.wait_all(tasks, patience=60).values()) == {"done"}
            ring(url, tasks[0], 5)  # of a task that has ended
            until(lambda: not client.exists(f"colloquy:{QUEUE}.msgs"), seconds=1.0, what="the end of late bells")
            until(lambda: "bell_for_unknown_task" in cluster.logs, seconds=5, what="the remark")
            logs = cluster.logs
            assert not client.exists(f"colloquy:{QUEUE}.XQ"), "nothing is buried"
            loaded = Path(f"/proc/{api.pid}/maps").read_text(encoding="utf-8")
            assert not [name for name in ("ctranslate2", "onnxruntime", "torch") if name in loaded], "the API is light"
            assert not children(api.pid)
        with psycopg.connect(database.replace("+psycopg", "")) as asked:
            rows = asked.execute("SELECT token, attempt, revision FROM tasks").fetchall()
    assert rows == [(1, 1, 1)] * TASKS, "one lease, one attempt, one result"
    assert logs.count("task_claimed") == logs.count("task_left") == TASKS
    print(f"{TASKS} tasks; the last copy was settled {settled:.2f} s after it rang")  # noqa: T201
