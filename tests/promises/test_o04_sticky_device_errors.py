"""O-04: an error that only a new process leaves behind ends the child at once; a device with three in a row is left.

The engine is scripted and says what PyTorch says of a device's broken state; everything around it is real.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.hosting.devices import Devices
from adapters.hosting.hosted import HostedTranscriptionEngine
from adapters.hosting.messages import STICKY_ERROR_EXIT
from adapters.hosting.policy import Hosting
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from application.ports.asr import RecognitionRequest
from domain.errors import DeviceUnavailable, EngineFailed
from domain.media import DecodedAudio
from domain.span import Span
from domain.stage import StageName, StageStatus
from domain.task import TaskStatus
from tests.adapters.processes import children, running
from tests.application.installation import Installation
from tests.e2e.service import Service
from tests.recordings import CONVERSATION

AUDIO = DecodedAudio(path=Path("not-read"), duration=60_000)
WINDOW = Span(0, 60_000)
REQUEST = RecognitionRequest(speech=(WINDOW,))
COOLDOWN = 1.0


@pytest.fixture
def devices() -> Devices:
    return Devices(COOLDOWN)


@pytest.fixture
def hosted(tmp_path: Path, devices: Devices) -> Iterator[Callable[[str], HostedTranscriptionEngine]]:
    """Hosts scripted engines that share what is known of devices."""
    opened: list[HostedTranscriptionEngine] = []

    def host(script: str) -> HostedTranscriptionEngine:
        parsed = Script.parse(f"{script}; counter={tmp_path / str(len(opened))}")
        opened.append(HostedTranscriptionEngine(ScriptedEngine(parsed), Hosting(), devices))
        return opened[-1]

    yield host
    for engine in opened:
        engine.close()


def works(engine: HostedTranscriptionEngine) -> bool:
    return bool(engine.transcribe(AUDIO, WINDOW, REQUEST, lambda _: None).segments)


def fails(engine: HostedTranscriptionEngine) -> None:
    with pytest.raises(EngineFailed, match="only a new process leaves behind") as failed:
        works(engine)
    assert failed.value.reason == "worker_crashed"


def test_o04_the_child_is_gone_at_once_and_the_next_call_has_a_new_one(
    hosted: Callable[[str], HostedTranscriptionEngine],
) -> None:
    engine = hosted("sticky_cuda@2; device=cuda:0")
    assert works(engine)
    (child,) = children()
    process = engine._pool.children[0]._process
    assert process is not None
    begun = time.monotonic()
    with capture_logs() as log:
        fails(engine)
    assert time.monotonic() - begun < 5
    assert process._popen.returncode == STICKY_ERROR_EXIT
    assert not running(child)
    assert [(line["event"], line["device"]) for line in log if line["event"].startswith("device")] == [
        ("device_suspect", "cuda:0")
    ]
    assert works(engine)
    assert children() != {child}


def test_o04_three_in_a_row_take_the_device_from_every_engine(
    hosted: Callable[[str], HostedTranscriptionEngine], devices: Devices
) -> None:
    first, second = hosted("sticky_cudax3; device=cuda:0"), hosted("device=cuda")
    elsewhere = hosted("device=cuda:1")
    with capture_logs() as log:
        for _ in range(3):
            assert devices.out_of_service() == ()
            fails(first)
    assert [line["log_level"] for line in log if line["event"] == "device_out_of_service"] == ["error"]
    assert devices.out_of_service() == ("cuda:0",)
    before = children()
    for engine in (first, second):
        with pytest.raises(DeviceUnavailable):
            works(engine)
    assert children() == before, "nothing is started on it"
    assert works(elsewhere)
    time.sleep(COOLDOWN)
    assert works(second), "after a while it is tried again"
    assert devices.out_of_service() == ()


def test_o04_after_the_time_out_one_more_error_is_enough(
    hosted: Callable[[str], HostedTranscriptionEngine], devices: Devices
) -> None:
    engine = hosted("sticky_cudax4; device=cuda:0")
    for _ in range(3):
        fails(engine)
    time.sleep(COOLDOWN)
    fails(engine)
    assert devices.out_of_service() == ("cuda:0",)
    time.sleep(COOLDOWN)
    assert works(engine)


def test_o04_a_success_between_them_clears_the_device(
    hosted: Callable[[str], HostedTranscriptionEngine], devices: Devices
) -> None:
    engine = hosted("sticky_cuda@1; sticky_cuda@2; sticky_cuda@4; sticky_cuda@5; device=cuda:0")
    for outcome in (fails, fails, works, fails, fails, works):
        outcome(engine)
        assert devices.out_of_service() == ()


async def test_o04_the_task_resumes_in_a_new_process_and_waits_while_the_device_is_out(
    hosted: Callable[[str], HostedTranscriptionEngine], devices: Devices, tmp_path: Path
) -> None:
    """Its own error strikes it once; waiting for the device does not."""
    work = tmp_path / "work"
    work.mkdir()
    engine = hosted("sticky_cuda@2; device=cuda:0")
    installation = Installation(work, engine=engine)
    task = await installation.run()
    assert (task.status, task.strikes) == (TaskStatus.QUEUED, 1)
    for _ in range(2):
        devices.failed("cuda:0")
    task = await installation.again(task)
    assert (task.status, task.strikes) == (TaskStatus.QUEUED, 1)
    await asyncio.sleep(COOLDOWN)
    task = await installation.again(task)
    assert task.status is TaskStatus.DONE
    stages = {stage.name: stage for stage in (await installation.transcript(task)).stages}
    assert stages[StageName.RECOGNITION].status is StageStatus.RAN
    assert "from an earlier attempt" in stages[StageName.RECOGNITION].reason


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_o04_a_service_says_that_its_device_is_out(tmp_path: Path) -> None:
    script = f"sticky_cudax3; device=cuda:0; counter={tmp_path / 'counter'}"
    with Service(tmp_path / "data", ASR_ENGINE="scripted", DIARIZATION_ENGINE="scripted", ASR_SCRIPT=script) as service:
        # Without diarization, whose checkpoint may come late, count as progress, and allow one more attempt.
        ended = service.wait(service.submit(CONVERSATION, {"diarization": "false"}), patience=80)
        assert (ended["status"], ended["error"]["code"]) == ("error", "worker_crashed")
        with service.client() as client:
            ready = client.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["parts"]["devices"] == "out of service: cuda:0"
            assert client.get("/health/live").status_code == 200
        assert "device_out_of_service" in service.log
        waiting = service.submit(CONVERSATION)
        time.sleep(2)
        assert service.status(waiting)["status"] in {"queued", "processing"}, "it waits and does not fail"
