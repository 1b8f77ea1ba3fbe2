"""Starts the real service as a user would, in a process of its own, and talks to it over HTTP."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

_READY = re.compile(r"listens on (http://\S+) ")
_KEY = re.compile(r"cq_\w+")
_PATIENCE = 60.0
_SECRET_LENGTH = 12
"""A shorter value, as some tests give, is found inside innocent words."""
_ZONES = ("GENERAL", "UPLOADS", "WEBSOCKETS", "HEALTH", "STRANGERS")
UNLIMITED = {f"LIMIT_{zone}": "0" for zone in _ZONES}
"""Tests ask far more often than people do; those that are about the limits set them."""


def environment(data: Path) -> dict[str, str]:
    """What a process of the service starts with: what it needs to run at all, and a folder."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "CT2_USE_MKL") if name in os.environ}  # noqa: TID251
    plain = {"DATA_DIR": str(data), "API_PORT": "0", "MODELS_DOWNLOAD": "false"}
    return inherited | plain | UNLIMITED


def assert_hushed(log: str, settings: Mapping[str, str], *secrets: str) -> None:
    """Have whatever the suite does with real processes prove that none has logged a secret that it was given (A-15)."""
    given = (value for name, value in settings.items() if name.endswith(("_SECRET", "_KEY", "_TOKEN")))
    told = [value for value in (*given, *secrets) if len(value) >= _SECRET_LENGTH and value in log]
    assert not told, "a secret stands in the log"


class Service:
    """A running `colloquy serve` over the folder `data`; as a context it is killed at the end."""

    options: tuple[str, ...] = ("--issue-key",)

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.settings = settings
        self.process: subprocess.Popen[str] | None = None
        self.base, self.key, self.greeting = "", "", ""

    def __enter__(self) -> Self:
        return self if self.process else self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        command = [str(Path(sys.executable).with_name("colloquy")), "serve", *self.options]
        log = (self.data.parent / f"{self.data.name}.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                command,
                env=environment(self.data) | self.settings,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("  id=$("):
                break
        self.greeting = "".join(lines)
        found = _READY.search(self.greeting)
        assert found, f"the service did not start: {self.log[-2000:]}"
        self.base, self.key = found[1], _KEY.findall(self.greeting)[0]
        return self

    @property
    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """End the process as a power cut would; its children must notice by themselves."""
        if self.process is not None:
            if self.process.poll() is None:
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None
            assert_hushed(self.log, self.settings, self.key)

    def stop(self, patience: float = 30.0) -> int:
        """End the process as a supervisor would; return its exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(patience)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        assert_hushed(self.log, self.settings, self.key)
        return status

    def client(self, key: str | None = None) -> httpx.Client:
        return httpx.Client(
            base_url=self.base, headers={"Authorization": f"Bearer {key or self.key}"}, timeout=30, trust_env=False
        )

    def submit(self, file: Path, fields: Mapping[str, str] | None = None) -> str:
        with self.client() as client, file.open("rb") as media:
            answer = client.post("/api/v1/transcribe", files={"file": (file.name, media)}, data=dict(fields or {}))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def status(self, task: str) -> dict[str, Any]:
        with self.client() as client:
            answer = client.get(f"/api/v1/status/{task}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait(
        self, task: str, patience: float = _PATIENCE, until: tuple[str, ...] = ("done", "error", "cancelled")
    ) -> dict[str, Any]:
        deadline = time.monotonic() + patience
        while (status := self.status(task))["status"] not in until:
            assert time.monotonic() < deadline, f"{status} after {patience} s: {self.log[-2000:]}"
            time.sleep(0.1)
        return status

    def result(self, task: str, format: str = "json") -> httpx.Response:
        with self.client() as client:
            return client.get(f"/api/v1/result/{task}", params={"format": format})
