"""O-01: a process that lives says so whatever is down; whether it can take work names the part that is in the way.

A full disk is U-06's, a device out of service O-04's, a database behind a black hole R-18's.
"""

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from entrypoints.cli.health import report
from entrypoints.probe import Probe
from infrastructure.container import Container
from infrastructure.load_settings import load_settings
from infrastructure.startup import prepare
from tests.builders import a_task
from tests.e2e.cluster import Cluster, on_s3, until
from tests.e2e.service import Service, environment
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server

COLLOQUY = Path(sys.executable).with_name("colloquy")
MOST_SECONDS = 2.0
KEPT_SECONDS = 1.0
SEVERITY = ["", "ok", "warn", "fail"]


@asynccontextmanager
async def probing(
    tmp_path: Path, settings: dict[str, str] | None = None, *, works: bool = True
) -> AsyncIterator[Probe]:
    """A probe of an installation of its own over SQLite and a folder."""
    loaded = load_settings({"DATA_DIR": str(tmp_path / "data"), "MODELS_DOWNLOAD": "false"} | (settings or {}))
    container = Container(settings=loaded)
    await asyncio.to_thread(prepare, loaded)
    try:
        yield Probe(container, loaded, works=works)
    finally:
        await container.database().dispose()


def down(parts: dict[str, str]) -> set[str]:
    return {part for part, state in parts.items() if state != "ok"}


async def test_o01_many_who_ask_cost_one_look(tmp_path: Path) -> None:
    async with probing(tmp_path) as probe:
        looks: list[str] = []
        ask = probe._checks["database"]

        async def counted() -> str:
            looks.append("")
            return await ask()

        probe._checks["database"] = counted
        answers = await asyncio.gather(*(probe() for _ in range(50)))
        assert all(answer == answers[0] for answer in answers)
        assert down(answers[0]) == set()
        await probe()
        assert len(looks) == 1
        await asyncio.sleep(KEPT_SECONDS)
        await probe()
        assert len(looks) == 2


async def test_o01_a_part_that_hangs_is_named_in_time_and_asked_once(tmp_path: Path) -> None:
    async with probing(tmp_path) as probe:
        released, asked = asyncio.Event(), []

        async def hang() -> str:
            asked.append("")
            await released.wait()
            return "ok"

        probe._checks["blobs"] = hang
        for _ in range(2):
            begun = time.monotonic()
            assert down(await probe()) == {"blobs"}
            assert time.monotonic() - begun <= MOST_SECONDS
            await asyncio.sleep(KEPT_SECONDS)
        assert len(asked) == 1
        released.set()
        await asyncio.sleep(0)
        assert down(await probe()) == set()


@pytest.mark.parametrize(
    ("settings", "part", "says"),
    [
        ({"ASR_ENGINE": "faster_whisper", "ASR_MODEL": "/srv/x/interviews"}, "models", "no weights for interviews"),
        ({"DIARIZATION_ENGINE": "pyannote_onnx"}, "models", "no weights for pyannote-community-1"),
        ({"MIN_FREE_PERCENT": "99.999"}, "storage", "nearly full"),
    ],
)
async def test_o01_what_is_configured_and_cannot_be_had(
    tmp_path: Path, settings: dict[str, str], part: str, says: str
) -> None:
    async with probing(tmp_path, settings) as probe:
        parts = await probe()
        assert down(parts) == {part}
        assert parts[part] == says


async def test_o01_folders_and_tables_that_are_gone_or_old(tmp_path: Path) -> None:
    async with probing(tmp_path) as probe:
        (tmp_path / "data" / "blobs").rename(tmp_path / "elsewhere")
        parts = await probe()
        assert (down(parts), parts["blobs"]) == ({"blobs"}, "the folder is gone")
        (tmp_path / "elsewhere").rename(tmp_path / "data" / "blobs")
        async with probe._container.database().begin() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
        await asyncio.sleep(KEPT_SECONDS)
        assert (await probe())["database"] == "its tables are older than this release"
        async with probe._container.database().begin() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'of the next release'")
        await asyncio.sleep(KEPT_SECONDS)
        assert down(await probe()) == set()


async def test_o01_tasks_that_nobody_takes_are_a_warning(tmp_path: Path) -> None:
    async with probing(tmp_path, works=False) as probe:
        assert down(await probe()) == set()
        assert probe.warnings == {}
        async with probe._container.new_uow() as uow:
            now = await uow.tasks.now()
            then = now - timedelta(minutes=3)
            await uow.tasks.add(a_task(created_at=then, updated_at=then, run_after=then))
            await uow.commit()
        await asyncio.sleep(KEPT_SECONDS)
        assert down(await probe()) == set()
        assert probe.warnings == {"workers": "tasks wait, and nobody takes them"}


def told(data: Path, *, ready: bool = False) -> tuple[int, str]:
    """What `colloquy health` says of the processes over that folder, and its status."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = report(load_settings({"DATA_DIR": str(data)}), ready=ready)
    return status, said.getvalue()


def names_all(data: Path) -> bool:
    """Whether it names the three servers that are off."""
    status, said = told(data, ready=True)
    return status == 1 and all(f" {part}: " in said for part in ("broker", "blobs", "database"))


def asked_as_a_supervisor_does(data: Path) -> tuple[int, str]:
    """The same by the command itself."""
    ran = subprocess.run(
        [COLLOQUY, "health"], env=environment(data), capture_output=True, text=True, check=False, timeout=60
    )
    return ran.returncode, ran.stdout + ran.stderr


def diagnosed(settings: dict[str, str], data: Path) -> tuple[int, dict[str, str], str]:
    """How `colloquy doctor` ends for a process with those settings, the state of each part, and all it said."""
    ran = subprocess.run(
        [COLLOQUY, "doctor", "--json"], env=environment(data) | settings, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    states: dict[str, str] = {}
    for finding in json.loads(ran.stdout):
        states[finding["part"]] = max(states.get(finding["part"], ""), finding["state"], key=SEVERITY.index)
        assert finding["state"] == "ok" or finding["fix"], finding
    return ran.returncode, states, ran.stdout + ran.stderr


class Watch:
    """Asks an API how it is, and looks at each answer for what nobody should be told."""

    def __init__(self, api: Service, *secrets: str) -> None:
        self._api, self._secrets = api, secrets

    def down(self) -> set[str]:
        with self._api.client() as client:
            begun = time.monotonic()
            ready = client.get("/health/ready")
            assert time.monotonic() - begun <= MOST_SECONDS
            live, seed = client.get("/health/live"), client.get("/health")
        assert live.status_code == seed.status_code == 200
        assert not any(secret in ready.text for secret in self._secrets), ready.text
        named = down(ready.json()["parts"])
        assert (ready.status_code, ready.json()["status"]) == ((503, "unready") if named else (200, "ready"))
        return named

    def until(self, *parts: str) -> None:
        until(lambda: self.down() == set(parts), seconds=15, what=f"{parts or 'nothing'} is down")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_o01_each_server_switched_off_is_named_and_nothing_else(tmp_path: Path) -> None:
    with (
        PostgresServer(durable=True) as postgres,
        RedisServer() as redis,
        S3Server() as s3,
        postgres.database() as database,
    ):
        store = on_s3(s3)
        with Cluster(tmp_path, database_url=database, queue_url=redis.url(), **store) as cluster:
            api, worker = cluster.api(), cluster.worker()
            secrets = [redis.password, s3.secret_key, s3.access_key, store["BLOB_URL"], "127.0.0.1", "tests@"]
            watch = Watch(api, *secrets)
            watch.until()

            redis.kill()
            watch.until("broker")
            s3.stop()
            watch.until("broker", "blobs")
            postgres.stop(signal.SIGQUIT)
            watch.until("broker", "blobs", "database")
            for data in (api.data, tmp_path / "data"):  # the worker says so with its next beat
                until(partial(names_all, data), seconds=20, what="the parts' names")
            assert told(tmp_path / "data") == (0, f"worker {worker.pid}: alive\n")
            status, states, said = diagnosed(worker.settings, tmp_path / "data")
            assert status == 1
            assert {part for part, state in states.items() if state == "fail"} == {"database", "broker", "object store"}
            assert not any(secret in said for secret in secrets[:3])

            postgres.start()
            watch.until("broker", "blobs")
            s3.start()
            watch.until("broker")
            redis.start()
            watch.until()
            until(lambda: told(tmp_path / "data", ready=True)[0] == 0, seconds=20, what="the worker's readiness")
            assert told(api.data) == (0, f"api {api.pid}: alive\n")
            assert asked_as_a_supervisor_does(api.data) == told(api.data)
            status, states, said = diagnosed(worker.settings, tmp_path / "data")
            assert status == 0, said
            assert {"database", "PostgreSQL", "broker", "object store", "queue", "processes"} <= set(states)
            assert not any(secret in said for secret in secrets[:3])

            # A process that does nothing any more is told from one that waits: here half an hour passes at once.
            worker.send(signal.SIGSTOP)
            (pulse,) = (tmp_path / "data" / "pulse").iterdir()
            os.utime(pulse, (time.time() - 1800,) * 2)
            status, words = told(tmp_path / "data")
            assert (status, words.rpartition(" for ")[0]) == (1, f"worker {worker.pid}: no sign of life")
            worker.send(signal.SIGCONT)
            until(lambda: told(tmp_path / "data")[0] == 0, seconds=15, what="a beat")
            worker.kill()
            assert told(tmp_path / "data") == (1, "nothing of this installation runs on this machine\n")
