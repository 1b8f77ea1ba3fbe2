import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infrastructure.engine_choice import hub_is_there
from infrastructure.hub import PATIENCE_SECONDS, hub_answers
from infrastructure.load_settings import load_settings


class _Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined] # the server below
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    server.asked = 0  # type: ignore[attr-defined] # counts requests
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_hub_that_answers_is_asked_once(hub: HTTPServer, tmp_path: Path) -> None:
    url, memory = f"http://127.0.0.1:{hub.server_port}", tmp_path / "hub.json"
    assert hub_answers(url, memory)
    assert hub_answers(url, memory)
    assert hub.asked == 1  # type: ignore[attr-defined]


def test_a_hub_that_refuses_is_remembered_in_a_folder_for_nobody_else(tmp_path: Path) -> None:
    data = tmp_path / "data"
    memory = data / "models" / "hub.json"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert not hub_answers(f"http://127.0.0.1:{taken.getsockname()[1]}", memory)
    assert json.loads(memory.read_text())["answers"] is False
    assert data.stat().st_mode & 0o077 == 0


def test_a_hub_that_hangs_costs_two_seconds_once(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        assert not hub_answers(url, tmp_path / "hub.json")
        assert time.monotonic() - started < PATIENCE_SECONDS + 0.5
        started = time.monotonic()
        assert not hub_answers(url, tmp_path / "hub.json")
        assert time.monotonic() - started < 0.1


def test_what_is_remembered_of_another_hub_does_not_count(hub: HTTPServer, tmp_path: Path) -> None:
    memory = tmp_path / "hub.json"
    memory.write_text(json.dumps({"url": "http://elsewhere", "asked_at": time.time(), "answers": False}))
    assert hub_answers(f"http://127.0.0.1:{hub.server_port}", memory)


def test_a_broken_memory_is_replaced(hub: HTTPServer, tmp_path: Path) -> None:
    memory = tmp_path / "hub.json"
    memory.write_text("{")
    assert hub_answers(f"http://127.0.0.1:{hub.server_port}", memory)
    assert json.loads(memory.read_text())["answers"] is True


def test_a_memory_that_cannot_be_written_is_done_without(hub: HTTPServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert hub_answers(f"http://127.0.0.1:{hub.server_port}", tmp_path / "file" / "hub.json")


def test_the_command_and_the_service_share_what_is_known(hub: HTTPServer, tmp_path: Path) -> None:
    shared = {"MODELS_DIR": str(tmp_path / "models"), "MODELS_HUB_URL": f"http://127.0.0.1:{hub.server_port}"}
    for folder in ("service", "command"):
        assert hub_is_there(load_settings({"DATA_DIR": str(tmp_path / folder), **shared}))
    assert hub.asked == 1  # type: ignore[attr-defined]
