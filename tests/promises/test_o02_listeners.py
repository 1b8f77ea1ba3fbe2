"""O-02: SIGTERM while clients listen: each is told to come back, and who does is told the rest by the next process."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e.service import Service

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
SETTINGS: dict[str, Any] = {
    "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ASR_SCRIPT": "sleep:0.6", "ENGINE_WINDOW_SECONDS": "3",
    "API_DRAIN_SECONDS": "0.3",
}  # fmt: skip


class Listener(threading.Thread):
    """Reads a stream to its end; `ended` is when, and `broken` how, unless it ended cleanly."""

    def __init__(self, service: Service, path: str, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.ended = 0.0
        self.broken: Exception | None = None
        self._service, self._path, self._headers = service, path, headers or {}
        self.start()

    def run(self) -> None:
        try:
            for line in self._read():
                self.lines.append(line)
        except httpx.HTTPError as error:
            self.broken = error
        self.ended = time.monotonic()

    def _read(self) -> Iterator[str]:
        with self._service.client() as client, client.stream("GET", self._path, headers=self._headers) as answer:
            yield from answer.iter_lines()

    @property
    def last_id(self) -> str:
        return [line for line in self.lines if line.startswith("id: ")][-1].removeprefix("id: ")

    @property
    def segments(self) -> list[str]:
        data = [json.loads(line.removeprefix("data: ")) for line in self.lines if line.startswith("data: ")]
        return [each["text"] for each in data if "text" in each]


def read_on(ws: ClientConnection) -> None:
    while True:
        ws.recv(20)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_o02_who_listens_is_told_to_come_back_and_then_the_rest(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", **SETTINGS).start()
    with service:
        task = service.submit(CONVERSATION)
        listeners = [Listener(service, f"/api/v1/tasks/{task}/events?segments=true") for _ in range(2)]
        lines = [Listener(service, f"/api/v1/tasks/{task}/stream") for _ in range(2)]
        headers = {"Authorization": f"Bearer {service.key}"}
        with connect(f"{service.base.replace('http', 'ws')}/api/v1/ws", additional_headers=headers, proxy=None) as ws:
            ws.send(json.dumps({"subscribe": [task]}))
            while not all(any('"segment"' in line for line in each.lines) for each in lines):
                time.sleep(0.1)
            assert service.process is not None
            signalled = time.monotonic()
            service.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                read_on(ws)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert service.process.wait(30) == 0
        exited = time.monotonic()
        for each in (*listeners, *lines):
            each.join(10)
            assert each.broken is None, each.broken
            assert each.ended < exited + 0.5
        told = max(each.ended for each in listeners) - signalled
        print(f"told after {told:.1f} s, exit after {exited - signalled:.1f} s")  # noqa: T201
        assert exited - signalled < 20, "not as long as uploads are given"
        for each in listeners:
            assert [line for line in each.lines if line][-1] == "retry: 2000"
        for each in lines:
            assert json.loads(each.lines[-1])["error"]["code"] == "restarting"
        service.kill()
        service.start()
        for each in listeners:
            rest = Listener(service, f"/api/v1/tasks/{task}/events?segments=true", {"Last-Event-ID": each.last_id})
            rest.join(60)
            assert any(line == "event: done" for line in rest.lines)
            heard = " ".join([*each.segments, *rest.segments]).split()
            spoken = [segment["text"] for segment in service.result(task).json()["segments"]]
            assert heard == " ".join(spoken).split()
            again = Listener(service, f"/api/v1/tasks/{task}/events", {"Last-Event-ID": rest.last_id})
            again.join(10)
            assert again.lines == []
        with suppress(ConnectionClosed):
            ws.close()
