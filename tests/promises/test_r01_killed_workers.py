"""R-01: workers, and children of workers, are killed at random moments; nothing is lost and nothing is done twice."""

import os
import random
import shutil
import signal
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from tests.e2e.cluster import Cluster, Worker, until
from tests.e2e.history import Change, History
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
KILLS = int(os.environ.get("COLLOQUY_TEST_KILLS", "6"))  # noqa: TID251 - a longer run for a release
TASKS = max(12, KILLS)
WORKERS, SLOTS = 3, 2
DUE = "SELECT count(*) FROM tasks WHERE status = 'queued' AND run_after <= now()"
WORST_SECONDS = 45.0
"""A lease's 30, ten until the next sweep, and five to spare."""
SCRIPT = {"ENGINE_WINDOW_SECONDS": "3", "DIARIZATION_SCRIPT": "sleep:0.2", "MAX_WORKERS": str(SLOTS)}


def calls(counter: Path) -> int:
    return sum(line.startswith("call ") for line in counter.read_text().splitlines())


class Killings:
    """Kills at random, and remembers who lost what when."""

    def __init__(self, cluster: Cluster, history: History, dice: random.Random) -> None:
        self._cluster, self._history, self._dice = cluster, history, dice
        self.lost: list[tuple[str, datetime]] = []
        self.workers = self.children = 0

    def strike(self) -> None:
        """Kill a worker that works with all its group, or one of its children."""
        until(lambda: bool(self.busy()), seconds=45, what="a worker that works")
        worker = self._dice.choice(self.busy())
        children = psutil.Process(worker.pid).children()
        if children and self._dice.random() < 0.5:
            self._dice.choice(children).kill()
            self.children += 1
        else:
            self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        pid = worker.pid
        os.killpg(pid, signal.SIGKILL)
        worker.kill()
        at = self._history.now()
        self.lost += [(task, at) for task, holder in self._history.held().items() if holder == pid]
        self.workers += 1
        worker.start(wait=False)

    def busy(self) -> list[Worker]:
        holders = set(self._history.held().values())
        return [worker for worker in self._cluster.workers.values() if worker.pid in holders]


def restart_seconds(changes: list[Change], task: str, since: datetime) -> float:
    """How long the task stood still, without the pause that is meant for one that crashed again and again."""
    later = [change for change in changes if change.task == task and change.at > since]
    queued = next(change for change in later if change.after == "queued")
    started = next(change for change in later if begins(change))
    return (queued.at - since + (started.at - max(queued.at, queued.due))).total_seconds()


def begins(change: Change) -> bool:
    return change.after == "processing"


@pytest.mark.slow
@pytest.mark.timeout(120 + 15 * KILLS)
def test_r01_kill_9_of_workers_and_their_children_loses_nothing(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    dice, counter = random.Random(1), tmp_path / "counter"
    recording = Path(shutil.copy(CONVERSATION, tmp_path))
    script = SCRIPT | {"ASR_SCRIPT": f"sleep:0.3;counter={counter}"}
    with (
        postgres.database() as url,
        Cluster(tmp_path, database_url=url, queue_url=redis.url(), **script) as cluster,
    ):
        api = cluster.api()
        with History(url) as history:
            for number in range(WORKERS):
                cluster.worker(f"worker-{number}")
            undisturbed = api.submit(recording)
            api.wait(undisturbed)
            windows, expected = calls(counter), api.result(undisturbed, "text").text
            killings, tasks = Killings(cluster, history, dice), list[str]()
            for number in range(1, KILLS + 1):
                tasks += [api.submit(recording) for _ in range(TASKS * number // KILLS - len(tasks))]
                until(lambda: history.rows(DUE) == [(0,)], seconds=120, what="a slot for each task")
                time.sleep(dice.uniform(0.2, 2.0))
                killings.strike()
            ended = [api.wait(task, patience=90 + KILLS) for task in tasks]
            texts = {api.result(task, "text").text for task in tasks}
            changes = history.changes()
    done = Counter(change.task for change in changes if change.after == "done")
    starts = Counter(change.task for change in changes if begins(change))
    again = Counter(change.task for change in changes if (change.before, change.after) == ("processing", "queued"))
    worst = max([restart_seconds(changes, task, at) for task, at in killings.lost], default=0.0)
    repeated = calls(counter) - windows * (len(tasks) + 1)
    figures = {
        "kills": (killings.workers, killings.children),
        "tasks": len(tasks),
        "taken from the dead": len(killings.lost),
        "attempts lost": again.total(),
        "worst restart": worst,
        "windows repeated": repeated,
    }
    (tmp_path / "figures").write_text(f"{figures}\n")
    assert {status["status"] for status in ended} == {"done"}, figures
    assert set(done.values()) == {1}, figures
    assert len(done) == len(tasks) + 1, figures
    assert texts == {expected}, "a resumed run must give the text of an undisturbed one"
    assert {status["task_id"]: status["attempt"] for status in ended} == {task: starts[task] for task in tasks}
    stored = sorted(
        path.relative_to(tmp_path).as_posix() for path in (tmp_path / "blobs" / "transcripts").rglob("*.json")
    )
    assert stored == sorted(f"blobs/transcripts/{task}/1.json" for task in (undisturbed, *tasks))
    assert killings.lost, "no kill met a running task"
    assert 0 <= repeated <= again.total(), figures
    assert worst <= WORST_SECONDS, figures
