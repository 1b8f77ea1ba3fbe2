"""R-07: an engine hangs; it is killed for want of progress, the next call works, and the process around it lives on."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.hosting.hosted import HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from application.ports.asr import RecognitionRequest
from domain.errors import EngineFailed
from domain.media import DecodedAudio
from domain.span import Span
from tests.adapters.processes import children, running, wait_until

AUDIO = DecodedAudio(path=Path("not-read"), duration=60_000)
WINDOW = Span(0, 60_000)
REQUEST = RecognitionRequest(speech=(WINDOW,))
STALL_SECONDS = 0.5
hangs = pytest.mark.parametrize("hang", ["hang_gil_free", "hang_gil_held", "hang_in_c"])


@pytest.fixture
def hung(hang: str, tmp_path: Path) -> Iterator[HostedTranscriptionEngine]:
    """An engine that is up and will hang in its second call, and in no other."""
    script = Script.parse(f"{hang}@2; counter={tmp_path / 'counter'}")
    hosted = HostedTranscriptionEngine(ScriptedEngine(script), Hosting(stall_seconds=STALL_SECONDS))
    hosted.transcribe(AUDIO, WINDOW, REQUEST, lambda _: None)
    yield hosted
    hosted.close()


@hangs
def test_r07_a_hung_engine_is_killed_and_the_next_call_works(hung: HostedTranscriptionEngine) -> None:
    (child,) = children()
    begun = time.monotonic()
    with pytest.raises(EngineFailed) as failed:
        hung.transcribe(AUDIO, WINDOW, REQUEST, lambda _: None)
    assert STALL_SECONDS <= time.monotonic() - begun < STALL_SECONDS + 3
    assert failed.value.reason == "engine_hung"
    assert not running(child)
    assert hung.transcribe(AUDIO, WINDOW, REQUEST, lambda _: None).segments


@hangs
async def test_r07_whoever_waits_for_a_hung_engine_stays_awake(hung: HostedTranscriptionEngine) -> None:
    sink: list[float] = []
    ticks: list[None] = []

    async def tick() -> None:
        while True:
            ticks.append(None)
            await asyncio.sleep(0.02)

    ticking = asyncio.create_task(tick())
    with pytest.raises(EngineFailed):
        await asyncio.to_thread(hung.transcribe, AUDIO, WINDOW, REQUEST, sink.append)
    ticking.cancel()
    assert len(ticks) >= 5
    assert len(sink) >= 2


SUSPENDED = """
import sys, structlog
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
from tests.promises.test_r07_hung_engines import *
hosted = HostedTranscriptionEngine(ScriptedEngine(Script.parse("sleep:2")), Hosting(stall_seconds=2))
print("works", flush=True)
print(len(hosted.transcribe(AUDIO, WINDOW, REQUEST, lambda _: None).segments), flush=True)
hosted.close()
"""


@pytest.mark.slow
def test_r07_a_suspended_machine_does_not_wake_up_to_engines_taken_for_hung() -> None:
    command = [sys.executable, "-c", SUSPENDED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "works\n"
        wait_until(lambda: bool(children(parent.pid)), seconds=5)
        time.sleep(0.5)
        (child,) = children(parent.pid)
        for process in (parent.pid, child):
            os.kill(process, signal.SIGSTOP)
        time.sleep(3.0)
        for process in (parent.pid, child):
            os.kill(process, signal.SIGCONT)
            time.sleep(0.5)
        assert parent.stdout.readline() == "1\n"


def test_r07_the_watchdog_waits_two_minutes_unless_it_is_told_otherwise() -> None:
    assert Hosting().stall_seconds == 120


def test_r07_an_engine_that_runs_in_circles_is_killed_too_though_later(tmp_path: Path) -> None:
    """It looks like a large model at work for ten times as long."""
    script = Script.parse(f"hang_busy@2; counter={tmp_path / 'counter'}")
    hosted = HostedTranscriptionEngine(ScriptedEngine(script), Hosting(stall_seconds=STALL_SECONDS))
    try:
        hosted.transcribe(AUDIO, WINDOW, REQUEST, lambda _: None)
        (child,) = children()
        begun = time.monotonic()
        with pytest.raises(EngineFailed) as failed:
            hosted.transcribe(AUDIO, WINDOW, REQUEST, lambda _: None)
        assert 10 * STALL_SECONDS <= time.monotonic() - begun < 10 * STALL_SECONDS + 3
        assert failed.value.reason == "engine_hung"
        assert not running(child)
        assert hosted.transcribe(AUDIO, WINDOW, REQUEST, lambda _: None).segments
    finally:
        hosted.close()
