"""R-11: connections to the broker are reset at random moments while jobs run; none of them notices."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.history import History
from tests.servers.fault_proxy import FaultProxy
from tests.servers.postgres import PostgresServer

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
RESETS = 10


@contextmanager
def behind(broker: str, request: pytest.FixtureRequest) -> Iterator[tuple[FaultProxy, str]]:
    """Put a proxy before the run's own broker; give it, and the URL through it."""
    server = request.getfixturevalue(broker)
    with FaultProxy(server.port) as proxy:
        yield proxy, server.url(port=proxy.port)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_r11_resets_of_the_broker_s_connections_restart_no_job(
    broker: str, tmp_path: Path, postgres: PostgresServer, request: pytest.FixtureRequest
) -> None:
    dice, counter = random.Random(11), tmp_path / "counter"
    recording = Path(shutil.copy(CONVERSATION, tmp_path))
    script = {"ENGINE_WINDOW_SECONDS": "3", "ASR_SCRIPT": f"sleep:0.8;counter={counter}", "MAX_WORKERS": "2"}
    with (
        behind(broker, request) as (proxy, queue_url),
        postgres.database() as url,
        Cluster(tmp_path, database_url=url, queue_url=queue_url, **script) as cluster,
    ):
        api = cluster.api()
        with History(url) as history:
            cluster.worker()
            tasks, cut = [api.submit(recording)], []
            for number in range(RESETS):
                time.sleep(dice.uniform(0.1, 0.7))
                cut.append(proxy.reset())
                if number in {3, 6}:
                    tasks.append(api.submit(recording))
            statuses = [api.wait(task) for task in tasks]
            changes = {task: [change.after for change in history.changes(task)] for task in tasks}
        log = cluster.logs
    windows = Counter(line for line in counter.read_text().splitlines() if line.startswith("call "))
    assert [status["status"] for status in statuses] == ["done"] * 3
    assert [status["attempt"] for status in statuses] == [1, 1, 1]
    assert changes == {task: ["processing", "done"] for task in tasks}
    assert set(windows.values()) == {len(tasks)}, "no window was recognised twice"
    assert sum(map(bool, cut)) >= RESETS // 3, "there was hardly a connection to reset"
    assert log.count("task_claimed") == len(tasks)
