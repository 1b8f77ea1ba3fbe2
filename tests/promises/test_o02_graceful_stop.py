"""O-02: SIGTERM while uploads and short calls are under way: readiness fails first, nothing in flight is lost."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.adapters.processes import wait_until
from tests.e2e.cluster import Cluster
from tests.e2e.service import Service
from tests.recordings import looped
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

ROUNDS = int(os.environ.get("COLLOQUY_TEST_STOPS", "1"))  # noqa: TID251 - a longer run for a release
DRAIN_SECONDS = 1.5
UPLOAD_SECONDS = 4
SCRIPTED = {
    "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_PRELOAD": "vad",
    "API_DRAIN_SECONDS": str(DRAIN_SECONDS),
}  # fmt: skip


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return looped(tmp_path_factory.mktemp("recording") / "speech.wav", 60)


def address(service: Service) -> tuple[str, int]:
    host, _, port = service.base.rpartition("//")[2].rpartition(":")
    return host, int(port)


@contextlib.contextmanager
def curl_upload(service: Service, recording: Path, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    """A real curl that sends the recording at a rate at which it takes so long."""
    command = [
        "curl", "--silent", "--show-error", "--limit-rate", str(int(recording.stat().st_size / seconds)),
        "--header", f"Authorization: Bearer {service.key}", "--form", f"file=@{recording}",
        "--write-out", "\n%{http_code}", f"{service.base}/api/v1/transcribe",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as curl:
        try:
            yield curl
        finally:
            curl.kill()


class Callers:
    """Short calls over and over, each thread by itself, until the server takes no more connections.

    `lost` is what went wrong with a request that was on its way: anything but a connection that was refused.
    """

    def __init__(self, service: Service, *, fresh: int = 4, kept: int = 4) -> None:
        self.answers = 0
        self.lost: list[str] = []
        self._host, self._port = address(service)
        self._key = service.key
        self._threads = [
            threading.Thread(target=self._call, kwargs={"keep": number >= fresh}) for number in range(fresh + kept)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(60)

    def _call(self, *, keep: bool) -> None:
        connection: http.client.HTTPConnection | None = None
        while True:
            if connection is None:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=20)
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    return
                except OSError as error:
                    self.lost.append(f"connecting: {error!r}")
                    return
            try:
                connection.request("GET", "/api/v1/tasks", headers={"Authorization": f"Bearer {self._key}"})
                answer = connection.getresponse()
                answer.read()
                self.answers += 1
                if answer.status != 200:
                    self.lost.append(f"status {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                return
            if not keep or answer.getheader("connection", "").lower() == "close":
                connection.close()
                connection = None
            time.sleep(0.01)


def readiness(service: Service) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*address(service), timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@dataclass
class Installation:
    """An API that can be started, in one process with the work or without it, and the means to have the work done."""

    api: Service
    work: Callable[[], object]


@pytest.fixture(params=["embedded", "api alone"])
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    with ExitStack() as stack:
        if request.param == "embedded":
            service = stack.enter_context(Service(tmp_path / "data", **SCRIPTED))
            yield Installation(service, lambda: None)
            return
        postgres, redis = stack.enter_context(PostgresServer()), stack.enter_context(RedisServer())
        database = stack.enter_context(postgres.database())
        cluster = stack.enter_context(Cluster(tmp_path, database_url=database, queue_url=redis.url(), **SCRIPTED))
        yield Installation(cluster.api(), cluster.worker)


@pytest.mark.slow
@pytest.mark.timeout(100 + 80 * ROUNDS)
def test_o02_nothing_in_flight_is_lost_and_readiness_fails_first(installed: Installation, recording: Path) -> None:
    service = installed.api
    for number in range(ROUNDS):
        ready = readiness(service)
        assert ready[0] == 200, ready
        with curl_upload(service, recording, UPLOAD_SECONDS) as curl, Callers(service) as callers:
            time.sleep(1.0)
            assert service.process is not None
            signalled = time.monotonic()
            service.process.terminate()
            unready = wait_until(lambda: readiness(service)[0] == 503, seconds=1.0)
            assert "stopping" in readiness(service)[1]
            answer, complaint = curl.communicate(timeout=30)
            finished = time.monotonic() - signalled
            assert service.process.wait(30) == 0
            took = time.monotonic() - signalled
        service.kill()
        print(f"unready after {unready:.2f} s, upload done after {finished:.1f} s, exit after {took:.1f} s")  # noqa: T201
        assert callers.lost == []
        assert callers.answers > 20
        assert answer.endswith("\n202"), (answer, complaint)
        assert finished > 1.0, "the upload was over before the signal"
        assert took < 30
        service.start()
        tasks = {str(item["task_id"]) for item in listed(service)}
        assert len(tasks) == number + 1
        installed.work()
        assert {service.wait(task)["status"] for task in tasks} == {"done"}


def listed(service: Service) -> list[dict[str, object]]:
    with service.client() as client:
        answer = client.get("/api/v1/tasks")
    body = answer.json()
    items = body if isinstance(body, list) else body.get("items", body.get("tasks", []))
    return list(items)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_o02_a_second_signal_ends_the_process_at_once(tmp_path: Path, recording: Path, number: signal.Signals) -> None:
    service = Service(tmp_path / "data", **SCRIPTED).start()
    with curl_upload(service, recording, 60) as curl:
        time.sleep(0.5)
        assert service.process is not None
        service.process.send_signal(number)
        time.sleep(0.5)
        assert service.process.poll() is None, "the first signal lets uploads finish"
        again = time.monotonic()
        service.process.send_signal(number)
        assert service.process.wait(5) == 128 + number
        assert time.monotonic() - again < 2.0
        curl.communicate(timeout=10)
    service.kill()


def stalled(service: Service) -> socket.socket:
    """An upload whose sender has gone to sleep."""
    peer = socket.create_connection(address(service), timeout=60)
    peer.sendall(
        b"POST /api/v1/transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        b"Authorization: Bearer " + service.key.encode() + b"\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'
    )
    return peer


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_o02_an_upload_that_never_ends_holds_nobody_longer_than_thirty_seconds(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", **SCRIPTED).start()
    with stalled(service), service:
        time.sleep(0.5)
        began = time.monotonic()
        assert service.stop(patience=40) == 0
        took = time.monotonic() - began
    assert 20 < took < 30
    assert not [path for path in (tmp_path / "data" / "blobs" / ".spool").iterdir() if path.is_file()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("idle", ["nothing", "kept alive", "half a head"])
def test_o02_connections_that_ask_for_nothing_hold_nobody(tmp_path: Path, idle: str) -> None:
    service = Service(tmp_path / "data", **SCRIPTED | {"API_DRAIN_SECONDS": "0.2"}).start()
    with socket.create_connection(address(service), timeout=30) as peer:
        match idle:
            case "kept alive":
                peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                assert peer.recv(65536).startswith(b"HTTP/1.1 200")
            case "half a head":
                peer.sendall(b"GET /health HTTP/1.1\r\nHost:")
        time.sleep(0.2)
        began = time.monotonic()
        assert service.stop(patience=20) == 0
        assert time.monotonic() - began < 15, "not as long as uploads are given"
