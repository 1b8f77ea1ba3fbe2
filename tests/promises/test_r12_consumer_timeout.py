"""R-12: a task that takes several times RabbitMQ's `consumer_timeout`; it starts once, ends once, no channel is closed.

Scaled: the timeout is 3 s and looked at each second, the tasks take 9 s; a consumer that holds a message shows that the
server means it.
"""

import time
from pathlib import Path

import pika
import pika.exceptions
import pytest

from tests.e2e.cluster import Cluster
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitMQServer

RECORDING = Path(__file__).parents[1] / "data" / "conversation.flac"
REFUSED = "precondition_failed"


def hold_a_message(url: str, seconds: float) -> None:
    """Take a message and settle it only after so long."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_declare("held", auto_delete=True)
        channel.basic_publish("", "held", b"x")
        next(channel.consume("held"))
        connection.sleep(seconds)
        channel.basic_qos(prefetch_count=1)  # any word with the server


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_r12_a_task_longer_than_the_consumer_timeout_runs_once(tmp_path: Path, postgres: PostgresServer) -> None:
    with RabbitMQServer(consumer_timeout=3000, channel_tick_interval=1000) as rabbitmq:
        with (
            postgres.database() as database,
            Cluster(
                tmp_path, database_url=database, queue_url=rabbitmq.url(), ASR_SCRIPT="sleep:9", MAX_WORKERS="1"
            ) as cluster,
        ):  # fmt: skip
            api = cluster.api()
            cluster.worker()
            begun = time.monotonic()
            tasks = [api.submit(RECORDING, {"diarization": "false"}) for _ in range(2)]
            assert set(cluster.wait_all(tasks, patience=80).values()) == {"done"}
            took = time.monotonic() - begun
            assert all(api.status(task)["attempt"] == 1 for task in tasks)
            logs = cluster.logs
        assert took > 6 * 3
        assert logs.count("task_claimed") == logs.count("task_left") == 2
        assert "bells_are_not_heard" not in logs
        assert REFUSED not in rabbitmq.log.lower()
        with pytest.raises(pika.exceptions.AMQPChannelError):
            hold_a_message(rabbitmq.url(), 7)
        wait_until(lambda: REFUSED in rabbitmq.log.lower(), seconds=5, what="what the log says of a timeout")
    print(f"two tasks, {took:.0f} s")  # noqa: T201
