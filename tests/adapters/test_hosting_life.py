"""How long an engine's child lives, and what it may take: idleness, memory, recycling, and who counts as hung."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.hosting.child import EngineChild
from adapters.hosting.hosted import HostedDiarizationEngine
from adapters.hosting.ladder import Ladder
from adapters.hosting.policy import Hosting
from adapters.hosting.watchdog import Watchdog
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from application.ports.asr import RecognitionRequest
from domain.errors import EngineFailed, EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span
from infrastructure.container import Container
from infrastructure.engines import hosting
from infrastructure.load_settings import load_settings
from tests.adapters.engine_probe import Probe, SlowToLoad, Voices
from tests.adapters.processes import children, resident, running, wait_until

AUDIO = DecodedAudio(path=Path("not-read"), duration=60_000)
WINDOW = Span(0, 60_000)
REQUEST = RecognitionRequest(speech=(WINDOW,))
MB = 1_000_000


def unheard(_: float) -> None:
    """A sink that never objects."""


@pytest.fixture
def started() -> Iterator[Callable[..., EngineChild]]:
    """Starts children with a policy of the test's own; they are closed, and none may be left."""
    before = children()
    opened: list[EngineChild] = []

    def start(adapter: object, *, device: str = "cpu", **policy: Any) -> EngineChild:
        opened.append(EngineChild(adapter, Hosting(**policy), device=lambda _: device))
        return opened[-1]

    yield start
    for child in opened:
        child.close()
    assert children() <= before
    wait_until(lambda: not clocks(), seconds=2)


def pid(child: EngineChild) -> int:
    found = child.call("pid", on_progress=unheard)
    assert isinstance(found, int)
    return found


def clocks() -> int:
    return sum(thread.name == "engine-idle" for thread in threading.enumerate())


# Idleness


def test_an_idle_child_ends_and_gives_its_memory_back(started: Callable[..., EngineChild]) -> None:
    child = started(ScriptedEngine(Script.parse("leak:150")), idle_seconds=1.0)
    child.call("transcribe", AUDIO, WINDOW, REQUEST, on_progress=unheard)
    (process,) = children()
    assert resident(process) > 150 * MB
    before = resident("self")
    wait_until(lambda: not children(), seconds=4)
    assert resident("self") - before < 5 * MB, "the parent holds nothing of it"
    child.call("transcribe", AUDIO, WINDOW, REQUEST, on_progress=unheard)


def test_zero_ends_a_child_after_each_call_and_starts_none_ahead(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), idle_seconds=0)
    child.start()
    assert not children()
    first = pid(child)
    assert not running(first)
    assert pid(child) != first
    with pytest.raises(EngineFailed):
        child.call("fail", ValueError("no"), on_progress=unheard)
    assert not children()


def test_never_keeps_a_child(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), idle_seconds=None)
    first = pid(child)
    assert not clocks()
    time.sleep(0.5)
    assert pid(child) == first


def test_a_child_is_idle_only_between_calls(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), idle_seconds=0.4)
    first = pid(child)
    for _ in range(3):
        time.sleep(0.2)
        child.call("steps", [0.5], 0.8, on_progress=unheard)
    assert pid(child) == first


def test_a_child_started_ahead_that_nobody_calls_ends_too(started: Callable[..., EngineChild]) -> None:
    started(Probe(), idle_seconds=0.3).start()
    assert children()
    wait_until(lambda: not children(), seconds=3)


def test_one_thread_watches_all_the_clocks_and_leaves_when_none_is_set(started: Callable[..., EngineChild]) -> None:
    for _ in range(4):
        pid(started(Probe(), idle_seconds=3))
    assert clocks() == 1
    wait_until(lambda: not children(), seconds=10)
    wait_until(lambda: not clocks(), seconds=2)


def test_a_call_that_meets_the_end_of_idleness_is_done_all_the_same(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), idle_seconds=0.05)
    for number in range(20):
        assert pid(child)
        time.sleep(0.05 + 0.001 * number)


@pytest.mark.parametrize(("value", "seconds"), [("0", 0.0), ("30", 30.0), ("never", None)])
def test_the_settings_say_how_long(value: str, seconds: float | None) -> None:
    assert hosting(load_settings({"ENGINE_IDLE_SECONDS": value}), 1).idle_seconds == seconds


@pytest.mark.parametrize(("preload", "started_ahead"), [("vad,asr,diarization", 3), ("asr", 1), ("", 0)])
def test_the_preload_list_says_which_engines_start_with_the_service(
    preload: str, started_ahead: int, tmp_path: Path
) -> None:
    environment = {"DATA_DIR": str(tmp_path), "ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted"}
    hosts = Container(settings=load_settings({**environment, "ENGINE_PRELOAD": preload})).hosts()
    before = children()
    try:
        hosts.start()
        assert len(children() - before) == started_ahead
    finally:
        hosts.close()
    assert children() == before


# Recycling, of the call for voices too


def test_the_call_for_voices_is_hosted_like_any_other() -> None:
    hosted = HostedDiarizationEngine(Voices(), Hosting(max_calls=2))
    try:
        heard = [hosted.embed(AUDIO, (WINDOW,), unheard) for _ in range(3)]
        assert heard[0] == heard[1] != heard[2], "replaced after two calls"
    finally:
        hosted.close()


def test_the_call_for_voices_counts_for_the_memory_bound(tmp_path: Path) -> None:
    script = Script.parse(f"leak:50; counter={tmp_path / 'counter'}")
    hosted = HostedDiarizationEngine(Voices(script), Hosting(max_memory=150 * MB))
    try:
        heard = [hosted.embed(AUDIO, (WINDOW,), unheard) for _ in range(4)]
    finally:
        hosted.close()
    assert len({voices[0] for voices in heard}) == 2
    assert heard[0] == heard[1]


# The ladder


def test_the_ladder_ends_after_three_steps_or_where_the_engine_does() -> None:
    for device, steps in (("cpu", 2), ("cuda:0", 3)):
        ladder = Ladder(ScriptedEngine(Script(device=device)), 600.0)
        assert [ladder.descend() for _ in range(4)] == [True] * steps + [False] * (4 - steps)
        assert len(ladder.sentences) == steps
        ladder.climb()
        assert ladder.sentences == ()
    assert not Ladder(Probe(), 600.0).descend()


# A device that is not there


@pytest.mark.parametrize(
    "text",
    [
        "CUDA failed with error no CUDA-capable device is detected",
        "CUDA failed with error CUDA driver version is insufficient for CUDA runtime version",
        "CUDA error: no kernel image is available for execution on the device",
        "CUDA error: invalid device ordinal",
    ],
)
def test_a_device_that_is_not_there_is_a_reason_and_no_crash(started: Callable[..., EngineChild], text: str) -> None:
    child = started(Probe())
    first = pid(child)
    unloadable = EngineUnavailable("the weights cannot be loaded on cuda")
    with pytest.raises(EngineUnavailable, match="cannot be loaded on cuda"):
        child.call("fail_from", unloadable, RuntimeError(text), on_progress=unheard)
    assert pid(child) == first


# Who counts as hung


class Clock:
    """Time as the watchdog sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("adapters.hosting.watchdog.time.monotonic", lambda: self.now)

    def silent(self, watchdog: Watchdog, seconds: float, *, cores: float = 0.0) -> float:
        """Let time pass in beats; return when the watchdog gives up, or infinity."""
        begun = self.now
        while self.now - begun < seconds:
            self.now += 0.25
            watchdog.look(self.now * cores)
            if watchdog.verdict:
                return self.now - begun
        return float("inf")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(("cores", "given"), [(0.0, 120), (0.05, 120), (0.2, 1200), (2.0, 1200)])
def test_a_silent_child_is_given_two_minutes_and_one_that_computes_twenty(
    clock: Clock, cores: float, given: float
) -> None:
    watchdog = Watchdog(120.0)
    watchdog.begin()
    assert given < clock.silent(watchdog, 3_000, cores=cores) < given + 3


def test_the_usual_silence_counts_tenfold(clock: Clock) -> None:
    watchdog = Watchdog(120.0)
    watchdog.begin()
    for _ in range(3):
        assert clock.silent(watchdog, 30) == float("inf")
        watchdog.heard()
    assert 300 < clock.silent(watchdog, 3_000) < 303


def test_a_child_that_stops_computing_is_given_the_patience_from_there(clock: Clock) -> None:
    watchdog = Watchdog(120.0)
    watchdog.begin()
    assert clock.silent(watchdog, 600, cores=1.0) == float("inf")
    assert 120 < clock.silent(watchdog, 3_000) < 123


def test_a_slow_engine_that_computes_is_not_taken_for_hung(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), stall_seconds=0.5)
    assert child.call("compute", 1.5, on_progress=unheard) == pid(child)


def test_on_a_gpu_a_busy_core_is_no_sign_of_life(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), device="cuda:0", stall_seconds=0.5)
    with pytest.raises(EngineFailed) as failed:
        child.call("compute", 30.0, on_progress=unheard)
    assert failed.value.reason == "engine_hung"


def test_a_model_that_is_long_to_load_is_not_taken_for_hung(started: Callable[..., EngineChild]) -> None:
    child = started(SlowToLoad(), device="cuda:0", stall_seconds=1.0, preload=True)
    assert pid(child)
