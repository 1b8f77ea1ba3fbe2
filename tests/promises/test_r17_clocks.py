"""R-17: machines whose clocks are an hour off or jump by hours; leases, due times and estimates do not notice.

The machine's clock is faked by libfaketime for one process at a time; its monotonic clock goes on as it would.
libfaketime 0.9.10 refuses sleeps until a moment of that clock, which are Python's: such a process waits otherwise.
"""

import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.history import History
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
HOUR = 3_600
SCRIPT = {"ENGINE_WINDOW_SECONDS": "3", "DIARIZATION_SCRIPT": "sleep:0.2", "MAX_WORKERS": "2"}
LEFT = "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM tasks WHERE lease_until IS NOT NULL"
_LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def clock(at: Path, seconds: int) -> dict[str, str]:
    """Settings of a process whose clock is as far off as the file `at` says, from now on so many seconds."""
    if _LIBRARY is None:
        raise RuntimeError("the tests need libfaketime: apt-get install faketime")
    at.write_text(f"{seconds:+d}\n")
    shim = at.with_suffix(".python")
    shim.mkdir()
    (shim / "sitecustomize.py").write_text("import select, time\ntime.sleep = lambda s: select.select([], [], [], s)\n")
    return {
        "LD_PRELOAD": str(_LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(at), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": str(shim),
    }  # fmt: skip


def hours_off(log: str) -> set[int]:
    """By how many hours the log's times differ from now."""
    now = datetime.now(UTC)  # noqa: TID251 - the test's own clock
    times = (datetime.fromisoformat(stamp) for stamp in re.findall(r"^(\S{19})\.\d+Z", log, re.MULTILINE))
    return {round((at.replace(tzinfo=UTC) - now) / timedelta(hours=1)) for at in times}


def pages(client: httpx.Client) -> Iterator[list[str]]:
    """Give the caller's tasks, two a page."""
    parameters = {"limit": "2"}
    while True:
        answer = client.get("/api/v1/tasks", params=parameters).json()
        yield [task["task_id"] for task in answer["tasks"]]
        if answer["next_cursor"] is None:
            return
        parameters["cursor"] = answer["next_cursor"]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_r17_clocks_that_jump_end_no_lease(tmp_path: Path, postgres: PostgresServer, redis: RedisServer) -> None:
    recording = Path(shutil.copy(CONVERSATION, tmp_path))
    at = tmp_path / "clock"
    script = SCRIPT | {"ASR_SCRIPT": "sleep:1"}
    with (
        postgres.database() as url,
        Cluster(tmp_path, database_url=url, queue_url=redis.url(), **script) as cluster,
    ):
        api = cluster.api()
        with History(url) as history:
            jumping = cluster.worker("jumping", wait=True, **clock(at, 0))
            tasks = [api.submit(recording), api.submit(recording)]
            for task in tasks:
                api.wait(task, until=("processing",))
            cluster.worker("steady")
            left, etas = [], []
            for seconds in (HOUR, -HOUR):
                at.write_text(f"{seconds:+d}\n")
                for _ in range(4):
                    time.sleep(0.5)
                    left += [float(seconds) for (seconds,) in history.rows(LEFT)]
                    etas += [api.status(task)["eta_seconds"] for task in tasks]
            ended = [api.wait(task) for task in tasks]
            changes = [[change.after for change in history.changes(task)] for task in tasks]
        log = jumping.log
    assert {status["status"] for status in ended} == {"done"}
    assert [status["attempt"] for status in ended] == [1, 1]
    assert changes == [["processing", "done"]] * 2
    assert left
    assert all(0 < seconds <= 31 for seconds in left), left
    assert all(eta is None or 0 <= eta < 60 for eta in etas), etas
    assert hours_off(log) > {0}, "the worker went by the clock that jumped"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_r17_an_api_an_hour_ahead_and_a_worker_an_hour_behind_understand_each_other(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    recording = Path(shutil.copy(CONVERSATION, tmp_path))
    with (
        postgres.database() as url,
        Cluster(tmp_path, database_url=url, queue_url=redis.url(), **SCRIPT) as cluster,
    ):
        ahead = cluster.api("ahead", **clock(tmp_path / "ahead-clock", HOUR))
        cluster.worker("behind", wait=True, **clock(tmp_path / "behind-clock", -HOUR))
        with History(url) as history:
            begun = history.now()
            first = ahead.submit(recording)
            status = ahead.wait(first)
            other = cluster.api("other")
            ahead.key = other.key  # a key that a start issues replaces the one of the start before
            submitted = [first]
            for _ in range(3):
                submitted += [ahead.submit(recording), other.submit(recording)]
            ended = [other.wait(task) for task in submitted]
            over = history.now()
        with other.client() as client:
            listed = [task for page in pages(client) for task in page]
        created = [datetime.fromisoformat(status["created_at"]) for status in ended]
    assert (status["status"], status["attempt"]) == ("done", 1)
    assert {status["attempt"] for status in ended} == {1}
    assert all(begun <= moment <= over for moment in created), "instants are the database's"
    assert created == sorted(created)
    assert sorted(listed) == sorted(submitted), "each task once, whatever clock named it"
    assert hours_off(cluster.workers["behind"].log) == {-1}
