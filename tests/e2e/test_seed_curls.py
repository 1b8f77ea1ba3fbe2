"""Every curl line of the services that came before, run by curl against a real service: only host, key and file differ.

`pytest -v` prints the table.
"""

import asyncio
import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.e2e.curl_lines import LINES, Line, misfit
from tests.e2e.service import Service

DATA = Path(__file__).parents[1] / "data"
CALL = DATA / "call.flac"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
_HOST = re.compile(r"https?://(localhost:8000|api\.example\.com)")
_KEY = re.compile(r"mvp-api-key-123|YOUR_API_KEY|\$\{TOKEN\}")
_FILE = re.compile(r"@[\w/.]+\.(mp3|wav)")
_ID = re.compile(r"\{\w+_id\}|<job_id>|(?<=/jobs/)1\b")
_PATIENCE = 60.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that knows one model, as `large`, and lets in those who come without a key."""
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "models").mkdir()
    (folder / "models" / "large").symlink_to(DATA / "small-whisper")
    with Service(
        folder / "data", ANONYMOUS="local", ASR_ENGINE="faster_whisper", ASR_MODEL="large",
        MODELS_DIR=str(folder / "models"), DIARIZATION_ENGINE="acoustic", LIMIT_AUTH="20",
    ) as service:  # fmt: skip
        yield service


@pytest.fixture(scope="module")
def memory() -> dict[str, str]:
    """What earlier answers of a service told: ids, and the token."""
    return {}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_seed_curls(line: Line, service: Service, memory: dict[str, str]) -> None:
    key = memory.get(f"{line.seed}{line.home} token", service.key)
    command = as_written(line.command, f"{service.base}{line.home}", key, memory.get(f"{line.seed}{line.home} id", ""))
    if line.does == "register" and not line.home:  # the address is taken by now
        command = [part.replace("user@example.com", "user2@example.com") for part in command]
    deadline = time.monotonic() + _PATIENCE
    status, answer = curl(command)
    while line.until and answer.get("status") not in line.until:
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)
        status, answer = curl(command)
    assert status == line.status, answer
    assert not misfit(answer, line.answer)
    remember(answer, f"{line.seed}{line.home}", memory)


def test_an_engine_of_one_language_does_not_pretend_to_detect_it(service: Service) -> None:
    line = 'curl -X POST -F "audio_file=@audio.wav" http://localhost:8000'
    status, answer = curl(as_written(f"{line}/detect-language", service.base, "", ""))
    assert (status, answer["detail"]) == (422, "faster_whisper cannot tell languages apart: it knows en")


def as_written(command: str, base: str, key: str, known_id: str) -> list[str]:
    """Put host, key, id and file into a command, and change nothing else."""
    command = _HOST.sub(base, _KEY.sub(key, _FILE.sub(f"@{CALL}", command)))
    return shlex.split(_ID.sub(known_id, command).replace("\\\n", " "), comments=True)


def curl(command: list[str]) -> tuple[int, dict[str, Any]]:
    """Run it, and return status and answer."""
    program, *arguments = command
    assert program == "curl"
    ran = subprocess.run(
        [program, "-sS", "--noproxy", "*", "-w", "\n%{http_code}", *arguments],
        capture_output=True, text=True, check=True, timeout=80,
    )  # fmt: skip
    body, _, status = ran.stdout.rpartition("\n")
    return int(status), json.loads(body)


def remember(answer: dict[str, Any], whose: str, memory: dict[str, str]) -> None:
    if token := answer.get("access_token"):
        memory[f"{whose} token"] = token
    for name in ("task_id", "job_id", "clip_id"):
        if name in answer:
            memory[f"{whose} id"] = answer[name]


def test_a_clip_is_streamed_line_by_line(service: Service) -> None:
    """S3 announces `/transcribe/stream` as lines of JSON with heartbeats, and shows no command for it."""
    send = 'curl -X POST -F "file=@audio.wav" http://localhost:8000/api/audio'
    _, clip = curl(as_written(send, service.base, "", ""))
    ran = subprocess.run(
        ["curl", "-sSN", "--noproxy", "*", "-D", "-", "-X", "POST",
         f"{service.base}/transcribe/stream?clip_id={clip['clip_id']}"],
        capture_output=True, text=True, check=True, timeout=80,
    )  # fmt: skip
    head, _, body = ran.stdout.partition("\n\n")
    assert "content-type: application/x-ndjson" in head.lower()
    assert "x-accel-buffering: no" in head.lower()
    lines = [json.loads(line) for line in body.splitlines()]
    kinds = [line["type"] for line in lines]
    assert kinds[0] == "started"
    assert kinds[-1] == "completed"
    assert set(kinds[1:-1]) <= {"segment", "progress", "heartbeat"}
    assert kinds.count("segment") >= 1
    assert not misfit(lines[-1]["segments"], [{"speaker": str, "start": float, "end": float, "text": str}])


@pytest.mark.parametrize("home", ["", "/compat/platform"])
async def test_jobs_are_told_of_over_the_web_socket(service: Service, home: str) -> None:
    """S4: `wscat -c "ws://localhost:8000/ws/${TOKEN}"`."""
    address = f"{home.strip('/').replace('/', '.') or 'root'}@example.com"
    async with httpx.AsyncClient(base_url=f"{service.base}{home}/api/v1", trust_env=False, timeout=30) as client:
        user = {"email": address, "password": "StrongPass123!", "full_name": "John Doe"}
        assert (await client.post("/auth/register", json=user)).status_code == 201
        login = {"username": address, "password": "StrongPass123!"}
        token = (await client.post("/auth/token", data=login)).json()["access_token"]
        where = f"{service.base.replace('http', 'ws')}{home}/ws"
        async with websockets.connect(f"{where}/{token}", proxy=None) as socket:
            headers = {"authorization": f"Bearer {token}"}
            job = (await client.post("/speaker/diarize", files={"file": CALL.read_bytes()}, headers=headers)).json()
            told = [json.loads(await asyncio.wait_for(socket.recv(), 30))]
            while told[-1]["status"] not in {"completed", "failed"}:
                told.append(json.loads(await asyncio.wait_for(socket.recv(), 30)))
        statuses = {"pending", "processing", "completed"}
        message = {"job_id": {job["id"]}, "status": statuses, "progress": int, "details": {"step": str}}
        assert not misfit(told, [message])
        assert [each["progress"] for each in told] == sorted(each["progress"] for each in told)
        assert (told[-1]["status"], told[-1]["progress"]) == ("completed", 100)
        lend = f"{service.base}/api/v1/tokens"
        writer = (await client.post(lend, json={"scopes": ["write"]}, headers=headers)).json()["token"]
        one = {"scopes": ["read"], "task_id": job["id"]}
        narrow = (await client.post(lend, json=one, headers=headers)).json()["token"]
        # A key lasts: it does not belong in an address.
        for refused, status in (("nonsense", 401), (service.key, 401), (writer, 403), (narrow, 403)):
            with pytest.raises(websockets.InvalidStatus) as caught:
                await websockets.connect(f"{where}/{refused}", proxy=None)
            assert caught.value.response.status_code == status
