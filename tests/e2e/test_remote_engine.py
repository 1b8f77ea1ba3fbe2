"""Another recogniser by the environment alone: the running service has its words from a server on 127.0.0.1."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.media.av import AvDecoder
from domain.media import DecodeLimits
from tests.adapters.remote_server import Asked, Script, Server, status
from tests.e2e.service import Service
from tests.e2e.spoken import read_stm
from tests.e2e.test_recordings import DATA, check

KEY = "sk-e2e-0123456789abcdef"
LINES = read_stm(DATA / "call.stm")
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows the recording: it finds out which part it was sent, and answers with the words in there."""
    folder = tmp_path_factory.mktemp("decoded")
    limits = DecodeLimits(max_duration=600_000, max_memory=1 << 30, max_seconds=60.0)
    whole = Path(AvDecoder().decode(DATA / "call.flac", folder, limits, lambda _: None).mix.path).read_bytes()

    def words(asked: Asked) -> list[tuple[str, float, float]]:
        start = whole.index(asked.pcm) / 32_000
        said = []
        for line in LINES:
            spoken = line.text.split()
            step = (line.end - line.start) / len(spoken)
            for number, text in enumerate(spoken):
                begun = line.start + step * number - start
                if 0 <= begun < asked.seconds:
                    said.append((text, begun, begun + step))
        return said

    with Server(Script(key=KEY, words=words, faults=[status(503)])) as running:
        yield running


@pytest.fixture(scope="module")
def remote(listener: Server) -> dict[str, str]:
    return {"ASR_ENGINE": "openai_compatible", "ASR_REMOTE_URL": listener.url, "ASR_REMOTE_KEY": KEY}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, remote: dict[str, str]) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("remote") / "data", **remote, LOG_LEVEL="debug") as running:
        yield running


def test_the_engine_is_changed_by_the_environment_alone(service: Service, listener: Server) -> None:
    result = check(service, DATA / "call.flac", LINES, worst_wer=0.0)
    assert (result["language"], result["model"]) == ("en", "whisper-1")
    recognition = next(stage for stage in result["stages"] if stage["name"] == "recognition")
    assert (recognition["engine"], recognition["device"]) == ("openai_compatible", "remote")
    assert len(listener.asked) > 1, "the first try was answered with 503"
    assert all(asked.headers["Authorization"] == f"Bearer {KEY}" for asked in listener.asked)


def test_the_key_is_nowhere_to_be_seen(service: Service, remote: dict[str, str]) -> None:
    assert KEY not in service.log
    for process in _below(service.pid):
        if process != service.pid:  # whose own environment is where the operator put it
            assert KEY.encode() not in Path(f"/proc/{process}/environ").read_bytes()
        assert KEY.encode() not in Path(f"/proc/{process}/cmdline").read_bytes()
    command = [str(Path(sys.executable).with_name("colloquy")), "config"]
    shown = subprocess.run(command, env=remote, capture_output=True, text=True, check=True)
    assert "ASR_REMOTE_KEY=********" in shown.stdout
    assert KEY not in shown.stdout + shown.stderr


def test_a_translation_is_asked_for_as_one(service: Service, listener: Server) -> None:
    before = len(listener.asked)
    task = service.submit(DATA / "call.flac", {"task": "translate", "diarization": "false"})
    assert service.wait(task)["status"] == "done"
    assert {asked.path for asked in listener.asked[before:]} == {"/v1/audio/translations"}
    result = service.result(task).json()
    assert result["language"] == "en"
    assert len(result["full_text"].split()) > 40


@pytest.mark.slow
def test_a_server_that_is_gone_ends_the_task_with_a_reason_and_harms_no_other(
    service: Service, listener: Server
) -> None:
    listener.script.always = status(401)
    try:
        ended = service.wait(service.submit(DATA / "call.flac"))
        assert (ended["status"], ended["error"]["code"]) == ("error", "model_unavailable")
        assert "ASR_REMOTE_KEY" in ended["error"]["detail"]
        assert KEY not in str(ended)
    finally:
        listener.script.always = None
    assert service.wait(service.submit(DATA / "call.flac"))["status"] == "done"


def _below(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(found for child in children for found in _below(child))]
