"""Asks /health over and over in a process of its own, so that what it measures is the server and not the test.

Run as `python -m tests.entrypoints.http_watch PORT`; when its input ends it prints the seconds of each answer.
"""

import http.client
import json
import select
import statistics
import subprocess
import sys
import time
from typing import Self


class HealthWatch:
    """Watches the server on `port` while it is open; `waits` are the seconds of each answer, once it is closed."""

    def __init__(self, port: int) -> None:
        self.waits: list[float] = []
        command = [sys.executable, "-m", "tests.entrypoints.http_watch", str(port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "watching\n"
        return self

    def __exit__(self, *_: object) -> None:
        answer, __ = self._process.communicate(timeout=10)
        self.waits = json.loads(answer)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.waits, n=100)[98]


def _watch(port: int) -> list[float]:
    waits = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        began = time.perf_counter()
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        waits.append(time.perf_counter() - began)
        assert answer.status == 200
    return waits


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_watch(int(sys.argv[1]))))
