"""Starts an API and workers as processes of their own over one database, one broker and one store, and talks to them.

Every process may be killed, stopped, frozen and started again; at the end of the context all are killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.e2e.service import Service, assert_hushed, environment
from tests.servers.ports import free_port, wait_until
from tests.servers.s3 import S3Server

SCRIPTED = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "MODELS_DOWNLOAD": "false"}


def on_s3(store: S3Server, *, port: int = 0) -> dict[str, str]:
    """Settings for a bucket of its own in the store; `port` puts another door before it."""
    bucket = store.bucket(port=port)
    return {
        "BLOB_URL": f"s3://{bucket.name}", "S3_ENDPOINT": bucket.endpoint, "S3_ACCESS_KEY": bucket.access_key,
        "S3_SECRET_KEY": bucket.secret_key, "S3_SECURE": "false",
    }  # fmt: skip


class Worker:
    """One `colloquy worker`; its log is a file of its own that survives restarts."""

    def __init__(self, name: str, data: Path, settings: dict[str, str]) -> None:
        self.name = name
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self._data = data
        self._log = data.parent / f"{name}.log"

    def start(self, *, wait: bool = True) -> Self:
        """Start it; with `wait`, until it says that it is ready."""
        before = self.log.count("worker_ready")
        command = [str(Path(sys.executable).with_name("colloquy")), "worker"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment(self._data) | self.settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        if wait:
            wait_until(lambda: self.log.count("worker_ready") > before, seconds=30, what=f"worker {self.name}")
        return self

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """End it as a power cut would; its children must notice by themselves."""
        if self.process is not None:
            if self.process.poll() is None:
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self, patience: float = 30.0) -> int:
        """End it as a supervisor would; return its exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(patience)
        self.process = None
        return status

    def send(self, number: signal.Signals) -> None:
        """Send a signal, SIGSTOP and SIGCONT say, to the worker alone."""
        os.kill(self.pid, number)


class Cluster:
    """An API and any number of workers in the folder `tmp`. Without `BLOB_URL` they share a folder of blobs there.

    `queue_url` is Redis' or RabbitMQ's; `settings` hold for every process, those given to `worker` for one.
    """

    def __init__(self, tmp: Path, *, database_url: str, queue_url: str, **settings: str) -> None:
        self.tmp = tmp
        shared = {"DATABASE_URL": database_url, "QUEUE_URL": queue_url}
        self.settings = SCRIPTED | shared | settings
        self.settings.setdefault("BLOB_URL", f"file://{tmp / 'blobs'}")
        self.workers: dict[str, Worker] = {}
        self.apis: dict[str, Service] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.kill()
        for api in self.apis.values():
            api.kill()
        for worker in self.workers.values():
            assert_hushed(worker.log, worker.settings)

    def api(self, name: str = "api", **settings: str) -> Service:
        """Return that API's process, a `Service`; started unless it runs. Its port stays when it is started again."""
        if name not in self.apis:
            port = {"API_PORT": str(free_port())}
            self.apis[name] = Service(self.tmp / name, **(self.settings | port | settings))
        service = self.apis[name]
        return service if service.process else service.start()

    def worker(self, name: str = "worker", *, wait: bool = True, **settings: str) -> Worker:
        """Return that worker, started unless it runs. Workers share one data folder, as on one machine."""
        if name not in self.workers:
            self.workers[name] = Worker(name, self.tmp / "data", self.settings | settings)
        worker = self.workers[name]
        return worker if worker.process else worker.start(wait=wait)

    @property
    def logs(self) -> str:
        """Everything that the workers have written."""
        return "".join(worker.log for worker in self.workers.values())

    def submit_many(self, recording: Path, count: int) -> list[str]:
        """Submit the recording so many times over one API."""
        api = self.api()
        return [api.submit(recording) for _ in range(count)]

    def wait_all(self, tasks: list[str], *, patience: float) -> dict[str, str]:
        """Wait until all have ended; return each one's status."""
        end = time.monotonic() + patience
        ended: dict[str, str] = {}
        while len(ended) < len(tasks):
            for task in tasks:
                if task not in ended and (status := self.api().status(task)["status"]) in {
                    "done",
                    "error",
                    "cancelled",
                }:
                    ended[task] = str(status)
            assert time.monotonic() < end, f"{len(tasks) - len(ended)} of {len(tasks)} left: {self.logs[-2000:]}"
            time.sleep(0.1)
        return ended


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Wait for the condition; return how long it took."""
    begun = time.monotonic()
    wait_until(condition, seconds=seconds, what=what)
    return time.monotonic() - begun
