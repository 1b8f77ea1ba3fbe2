"""R-03: the parent dies, the child lives; five seconds later there is no child, whatever it was doing."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.adapters.processes import children, running, wait_until

PARENT = """
import sys, time
from pathlib import Path
import structlog
from adapters.hosting.hosted import HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from application.ports.asr import RecognitionRequest
from domain.media import DecodedAudio
from domain.span import Span

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
engine = HostedTranscriptionEngine(ScriptedEngine(Script.parse(sys.argv[1])), Hosting())
audio, window = DecodedAudio(path=Path("not-read"), duration=60_000), Span(0, 60_000)
engine.start()
print("started", flush=True)
if sys.argv[2] == "works":
    engine.transcribe(audio, window, RecognitionRequest(speech=(window,)), lambda _: None)
    print("worked", flush=True)
if sys.argv[2] == "exits":
    sys.exit()
time.sleep(60)
"""


@contextmanager
def parent(script: str, then: str) -> Iterator["subprocess.Popen[str]"]:
    """A parent that has started its child and then `works` with it, `sleeps`, or `exits`."""
    command = [sys.executable, "-c", PARENT, script, then]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("work", "number"),
    [
        ("sleep:60", signal.SIGKILL),
        ("burn:60", signal.SIGKILL),
        ("hang_gil_free", signal.SIGKILL),
        ("hang_gil_held", signal.SIGKILL),
        ("hang_gil_held", signal.SIGTERM),
        ("hang_in_c", signal.SIGKILL),
    ],
)
def test_r03_a_busy_child_dies_with_its_parent(tmp_path: Path, work: str, number: signal.Signals) -> None:
    counter = tmp_path / "counter"
    with parent(f"{work}; counter={counter}", "works") as process:
        wait_until(lambda: counter.exists() and "act 0" in counter.read_text(), seconds=10)
        (child,) = children(process.pid)
        assert running(child)
        process.send_signal(number)
        process.wait()
        wait_until(lambda: not running(child), seconds=5)


def test_r03_an_idle_child_dies_with_its_parent() -> None:
    with parent("", "works") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "worked\n"
        (child,) = children(process.pid)
        assert running(child)
        process.kill()
        process.wait()
        wait_until(lambda: not running(child), seconds=5)


def test_r03_a_child_that_has_only_just_been_started_dies_with_its_parent() -> None:
    with parent("", "sleeps") as process:
        (child,) = children(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: not running(child), seconds=5)


def test_r03_a_frozen_child_dies_with_its_parent() -> None:
    with parent("", "works") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "worked\n"
        (child,) = children(process.pid)
        subprocess.run(["kill", "-STOP", str(child)], check=True)
        process.kill()
        process.wait()
        wait_until(lambda: not running(child), seconds=5)


def test_r03_a_parent_that_ends_without_closing_is_not_held_up_by_its_child() -> None:
    with parent("", "exits") as process:
        found = children(process.pid)
        assert process.wait(timeout=5) == 0
        wait_until(lambda: not any(running(child) for child in found), seconds=5)
