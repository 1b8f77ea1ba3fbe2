"""A private Prometheus and Alertmanager, from Debian's packages, on free ports of the loopback address."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from tests.servers.ports import free_port, wait_until


def program(*names: str) -> str:
    """Return where the first of the programs is that is installed."""
    for name in names:
        if (found := shutil.which(name)) is not None:
            return found
    raise RuntimeError(f"the tests need {names[0]}: apt-get install prometheus prometheus-alertmanager")


@contextmanager
def _running(command: list[str], log: Path, ready: str) -> Iterator[None]:
    with log.open("ab") as written:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=written, stderr=written)
    try:
        with httpx.Client(trust_env=False, timeout=2) as client:

            def answers() -> bool:
                assert process.poll() is None, log.read_text()[-2000:]
                try:
                    return client.get(ready).status_code == 200
                except httpx.HTTPError:
                    return False

            wait_until(answers, seconds=20, what=command[0])
        yield
    finally:
        process.kill()
        process.wait(10)


class Alertmanager:
    """An Alertmanager with this configuration (JSON is YAML too), as a context."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.port = free_port()
        self._configuration = configuration
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="colloquy-alertmanager-")))
        (folder / "alertmanager.yml").write_text(json.dumps(self._configuration))
        command = [
            program("prometheus-alertmanager", "alertmanager"), f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder}", f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
        ]  # fmt: skip
        ready = f"http://127.0.0.1:{self.port}/-/ready"
        self._stack.enter_context(_running(command, folder / "log", ready))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Prometheus:
    """A Prometheus with this configuration (JSON is YAML too), as a context; it answers queries."""

    def __init__(self, configuration: dict[str, Any], *, port: int = 0) -> None:
        self.port = port or free_port()
        self._configuration = configuration
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="colloquy-prometheus-")))
        (folder / "prometheus.yml").write_text(json.dumps(self._configuration))
        base = f"http://127.0.0.1:{self.port}"
        command = [
            program("prometheus"), f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--query.lookback-delta=30s",
        ]  # fmt: skip
        self._stack.enter_context(_running(command, folder / "log", f"{base}/-/ready"))
        self._client = self._stack.enter_context(httpx.Client(base_url=base, trust_env=False, timeout=20))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what the expression finds now: `metric` and `value` each."""
        return self._ask("query", {"query": expression})

    def course(self, expression: str, *, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Return what it found over time: `metric` and `values` each."""
        return self._ask("query_range", {"query": expression, "start": start, "end": end, "step": step})

    def firing(self) -> set[str]:
        """Name the alerts that fire."""
        return {each["metric"]["alertname"] for each in self.query('ALERTS{alertstate="firing"}')}

    def _ask(self, what: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self._client.post(f"/api/v1/{what}", data=parameters)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"]["result"])
