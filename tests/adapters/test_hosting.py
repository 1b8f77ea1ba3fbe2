"""The engine boundary: the hosted engines satisfy their ports, and their children are well behaved processes."""

import math
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.hosting.child import EngineChild
from adapters.hosting.hosted import HostedDiarizationEngine, HostedTranscriptionEngine, HostedVoiceActivityDetector
from adapters.hosting.messages import Call, Ready
from adapters.hosting.policy import Hosting
from adapters.hosting.process import ChildProcess
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from adapters.voice_activity.silero import SileroVad
from application.ports.asr import RecognitionRequest, TranscriptionEngine
from application.ports.diarization import DiarizationRequest
from domain.errors import ColloquyError, EngineFailed, ModelNotFound
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
from tests.adapters.engine_probe import Probe
from tests.adapters.processes import children, descriptors, running, wait_until
from tests.contracts.transcription import TranscriptionContract
from tests.contracts.voice_activity import VoiceActivityContract

AUDIO = DecodedAudio(path=Path("not-read"), duration=600_000)
SPEECH = (Span(0, 290_000), Span(310_000, 600_000))
WINDOWS = (Span(0, 290_000), Span(310_000, 600_000))
REQUEST = RecognitionRequest(speech=SPEECH)


def unheard(_: float) -> None:
    """A sink that never objects."""


class Stop(Exception):
    """What a sink raises to call work off."""


@pytest.fixture
def probe() -> Iterator[EngineChild]:
    child = EngineChild(Probe(), Hosting())
    yield child
    child.close()


@pytest.fixture
def started() -> Iterator[Callable[..., EngineChild]]:
    """Starts children with a policy of the test's own; they are closed, and none may be left."""
    before = children()
    opened: list[EngineChild] = []

    def start(adapter: object, **policy: Any) -> EngineChild:
        opened.append(EngineChild(adapter, Hosting(**policy)))
        return opened[-1]

    yield start
    for child in opened:
        child.close()
    assert children() <= before


def pid(child: EngineChild) -> int:
    found = child.call("pid", on_progress=unheard)
    assert isinstance(found, int)
    return found


class TestHostedTranscriptionEngine(TranscriptionContract, adapter=HostedTranscriptionEngine):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[HostedTranscriptionEngine]:
        hosted = HostedTranscriptionEngine(ScriptedEngine(), Hosting())
        yield hosted
        hosted.close()

    @pytest.fixture
    def unloaded(self) -> HostedTranscriptionEngine:
        return HostedTranscriptionEngine(ScriptedEngine(), Hosting())

    @pytest.fixture(scope="class")
    @classmethod
    def audio(cls) -> DecodedAudio:
        return AUDIO

    @pytest.fixture(scope="class")
    @classmethod
    def window(cls) -> Span:
        return Span(100_000, 350_000)

    @pytest.fixture(scope="class")
    @classmethod
    def asked(cls) -> RecognitionRequest:
        return RecognitionRequest(speech=(Span(0, 60_000), Span(90_000, 290_000), Span(310_000, 600_000)))


class TestHostedVoiceActivityDetector(VoiceActivityContract, adapter=HostedVoiceActivityDetector):
    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Iterator[HostedVoiceActivityDetector]:
        hosted = HostedVoiceActivityDetector(SileroVad(), Hosting(threads=1))
        yield hosted
        hosted.close()


# What comes back


def test_a_hosted_engine_answers_as_the_engine_does_at_home() -> None:
    hosted = HostedTranscriptionEngine(ScriptedEngine(), Hosting())
    try:
        for window in WINDOWS:
            at_home = ScriptedEngine().transcribe(AUDIO, window, REQUEST, unheard)
            assert hosted.transcribe(AUDIO, window, REQUEST, unheard) == at_home
            assert len(at_home.segments[0].words) == 580
        assert hosted.capabilities() == ScriptedEngine().capabilities()
    finally:
        hosted.close()


def test_a_hosted_diarizer_answers_as_the_diarizer_does_at_home() -> None:
    request = DiarizationRequest(speech=SPEECH, hints=SpeakerHints(exact=3))
    hosted = HostedDiarizationEngine(ScriptedDiarizer(), Hosting())
    try:
        assert hosted.diarize(AUDIO, request, unheard) == ScriptedDiarizer().diarize(AUDIO, request, unheard)
        assert hosted.capabilities() == ScriptedDiarizer().capabilities()
    finally:
        hosted.close()


def test_capabilities_start_no_process() -> None:
    before = children()
    HostedTranscriptionEngine(ScriptedEngine(), Hosting()).capabilities()
    HostedDiarizationEngine(ScriptedDiarizer(), Hosting()).capabilities()
    assert children() == before


def test_large_values_cross_whole(probe: EngineChild) -> None:
    value = os.urandom(20_000_000)
    assert probe.call("echo", value, on_progress=unheard) == value


def test_the_child_keeps_its_model_between_calls(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    hosted = HostedTranscriptionEngine(ScriptedEngine(Script(counter=counter)), Hosting())
    try:
        for window in WINDOWS * 2:
            hosted.transcribe(AUDIO, window, REQUEST, unheard)
    finally:
        hosted.close()
    assert counter.read_text().splitlines().count("load") == 1


# What goes wrong


def test_errors_of_the_domain_travel_as_themselves() -> None:
    hosted = HostedTranscriptionEngine(ScriptedEngine(), Hosting())
    try:
        with pytest.raises(ModelNotFound, match="no model 'huge'"):
            hosted.transcribe(AUDIO, WINDOWS[0], RecognitionRequest(speech=SPEECH, model="huge"), unheard)
    finally:
        hosted.close()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("/secret/path"), "engine_failed"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "out_of_memory"),
        (RuntimeError("CUDA error: out of memory"), "out_of_memory"),
        (RuntimeError("CUDA failed with error out of memory"), "out_of_memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory"),
        (RuntimeError("[ONNXRuntimeError] : Failed to allocate memory for requested buffer"), "out_of_memory"),
    ],
)
def test_errors_of_vendors_are_classified_and_keep_their_words_to_the_log(
    probe: EngineChild, error: Exception, code: str
) -> None:
    with pytest.raises(EngineFailed) as failed:
        probe.call("fail", error, on_progress=unheard)
    assert failed.value.reason == code
    assert str(error) not in failed.value.detail or not str(error)
    assert pid(probe)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: device-side assert triggered",
        "CUDA failed with error an illegal memory access was encountered",
        "CUDA failure 719: unspecified launch failure",
    ],
)
def test_a_sticky_cuda_error_ends_the_process_even_when_an_adapter_translated_it(probe: EngineChild, text: str) -> None:
    first = pid(probe)
    with pytest.raises(EngineFailed, match="CUDA error that only a new process leaves behind") as failed:
        probe.call("fail_from", EngineFailed("the engine failed"), RuntimeError(text), on_progress=unheard)
    assert failed.value.reason == "worker_crashed"
    assert not running(first)
    assert pid(probe) != first


def test_an_engine_that_ran_out_of_memory_gives_its_process_back(probe: EngineChild) -> None:
    first = pid(probe)
    with pytest.raises(EngineFailed):
        probe.call("fail", MemoryError(), on_progress=unheard)
    assert not running(first)


def test_any_other_error_leaves_the_process_and_its_model_alone(probe: EngineChild) -> None:
    first = pid(probe)
    with pytest.raises(EngineFailed):
        probe.call("fail", ValueError("no"), on_progress=unheard)
    assert pid(probe) == first


def test_a_result_that_cannot_be_sent_is_a_failure_of_the_engine(probe: EngineChild) -> None:
    first = pid(probe)
    with pytest.raises(EngineFailed, match="the engine failed"):
        probe.call("unpicklable", on_progress=unheard)
    assert pid(probe) == first


def test_an_adapter_that_cannot_be_rebuilt_in_the_child_fails_each_call_alike(
    started: Callable[..., EngineChild],
) -> None:
    child = started(Probe(breaks_unpickling=True))
    for _ in range(2):
        with pytest.raises(EngineFailed) as failed:
            child.call("pid", on_progress=unheard)
        assert failed.value.reason == "engine_failed"


def test_an_adapter_that_cannot_be_pickled_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="pickle"):
        EngineChild(threading.Lock(), Hosting())


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda child: child.call("leave", 3, on_progress=unheard), "ended with exit code 3"),
        (lambda child: child.call("repeat", 60, 0.0, on_progress=_Killer(signal.SIGKILL)), "for want of memory"),
        (lambda child: child.call("repeat", 60, 0.0, on_progress=_Killer(signal.SIGTERM)), "SIGTERM"),
    ],
)
def test_a_dead_child_is_reported_by_its_end_and_replaced(
    probe: EngineChild, end: Callable[[EngineChild], object], words: str
) -> None:
    pid(probe)
    with pytest.raises(EngineFailed, match=words) as failed:
        end(probe)
    assert failed.value.reason == "worker_crashed"
    assert pid(probe)


class _Killer:
    """A sink that kills the child from outside once it works."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number
        self._calls = 0

    def __call__(self, _: float) -> None:
        self._calls += 1
        if self._calls == 2:
            (child,) = children()
            os.kill(child, self._number)


def test_a_child_that_died_while_idle_is_replaced_unnoticed(probe: EngineChild) -> None:
    first = pid(probe)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not running(first), seconds=5)
    assert pid(probe) != first


def test_a_child_whose_death_is_not_seen_yet_is_replaced_unnoticed_too(
    probe: EngineChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pid(probe)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not running(first), seconds=5)
    with monkeypatch.context() as patched:
        patched.setattr(ChildProcess, "alive", property(lambda _: True))
        assert pid(probe) != first


@pytest.mark.parametrize("fault", ["segfault", "raise", "oom_torch", "sticky_cuda"])
def test_one_poisonous_window_fails_each_time_and_no_other_does(fault: str) -> None:
    hosted = HostedTranscriptionEngine(ScriptedEngine(Script.parse(f"{fault}@310000ms")), Hosting())
    try:
        for _ in range(3):
            with pytest.raises(EngineFailed):
                hosted.transcribe(AUDIO, WINDOWS[1], REQUEST, unheard)
            assert hosted.transcribe(AUDIO, WINDOWS[0], REQUEST, unheard).segments
    finally:
        hosted.close()


# Progress, cancellation, turns


def test_progress_is_relayed_at_most_ten_a_second_and_ends_with_the_last(probe: EngineChild) -> None:
    pid(probe)
    heard: list[float] = []
    fractions = [number / 1_000 for number in range(1, 1_001)]
    probe.call("steps", fractions, 0.0005, on_progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    assert 3 <= len(heard) <= 60


def test_the_sink_hears_twice_a_second_though_the_engine_says_nothing(probe: EngineChild) -> None:
    pid(probe)
    heard: list[float] = []
    probe.call("steps", [0.5], 1.1, on_progress=heard.append)
    assert heard.count(0.5) >= 3


@pytest.mark.parametrize("error", [Stop(), ConnectionError("database"), EOFError(), BlockingIOError(), SystemExit(2)])
def test_what_the_sink_raises_passes_unchanged_and_ends_the_child(probe: EngineChild, error: BaseException) -> None:
    first = pid(probe)

    def object_later(fraction: float) -> None:
        if fraction > 0:
            raise error

    with pytest.raises(type(error)) as raised:
        probe.call("repeat", 60, 0.01, on_progress=object_later)
    assert raised.value is error
    assert not running(first)
    assert pid(probe) != first


@pytest.mark.parametrize("hang", ["hang_gil_free", "hang_gil_held", "hang_in_c"])
def test_cancelling_reaches_an_engine_wherever_it_hangs(hang: str) -> None:
    hosted = HostedTranscriptionEngine(ScriptedEngine(Script.parse(f"{hang}@310000ms")), Hosting())
    try:
        hosted.transcribe(AUDIO, WINDOWS[0], REQUEST, unheard)
        (child,) = children()
        cancelled = time.monotonic() + 0.2

        def cancel(_: float) -> None:
            if time.monotonic() > cancelled:
                raise Stop

        with pytest.raises(Stop):
            hosted.transcribe(AUDIO, WINDOWS[1], REQUEST, cancel)
        assert time.monotonic() - cancelled < 2
        assert not running(child)
        assert hosted.transcribe(AUDIO, WINDOWS[0], REQUEST, unheard).segments
    finally:
        hosted.close()


@pytest.mark.parametrize("end", ["cancelled", "crashed", "hung", "died idle", "closed"])
def test_helpers_that_an_engine_started_go_when_it_goes(started: Callable[..., EngineChild], end: str) -> None:
    child = started(Probe(), stall_seconds=0.5)
    engine, helper = pid(child), child.call("helper", on_progress=unheard)
    assert isinstance(helper, int)
    match end:
        case "cancelled":
            with pytest.raises(Stop):
                child.call("repeat", 60, 0.01, on_progress=_raise_stop)
        case "crashed":
            with pytest.raises(EngineFailed, match="exit code 1"):
                child.call("leave", 1, on_progress=unheard)
        case "hung":
            with pytest.raises(EngineFailed, match="no progress"):
                child.call("steps", [0.0], 60, on_progress=unheard)
        case "died idle":
            os.kill(engine, signal.SIGKILL)
            wait_until(lambda: not running(engine), seconds=5)
            pid(child)
        case _:
            child.close()
    wait_until(lambda: not running(helper), seconds=2)


def _raise_stop(_: float) -> None:
    raise Stop


def test_calls_take_turns_in_the_order_they_came(probe: EngineChild) -> None:
    """Whoever calls again and again, as a long task does for its windows, goes behind those who wait."""
    pid(probe)
    order: list[str] = []

    def task(name: str, windows: int) -> None:
        for number in range(windows):
            probe.call("steps", [0.1], 0.2, on_progress=unheard)
            order.append(f"{name}{number}")

    threads = [threading.Thread(target=task, args=arguments) for arguments in (("a", 3), ("b", 1), ("c", 1))]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert order == ["a0", "b0", "c0", "a1", "a2"]


def test_a_call_that_waits_for_its_turn_is_heard_from_and_can_be_called_off(probe: EngineChild) -> None:
    first = pid(probe)
    thread = threading.Thread(target=lambda: probe.call("steps", [0.1] * 4, 0.3, on_progress=unheard))
    thread.start()
    time.sleep(0.1)
    heard: list[float] = []

    def give_up(fraction: float) -> None:
        heard.append(fraction)
        if len(heard) == 3:
            raise Stop

    with pytest.raises(Stop):
        probe.call("echo", 1, on_progress=give_up)
    assert thread.is_alive()
    thread.join()
    assert pid(probe) == first


# The watchdog (the hangs themselves are R-07)


@pytest.mark.slow
def test_saying_the_same_again_is_no_progress(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), stall_seconds=0.4)
    child.call("repeat", 0.9, 0.001, on_progress=unheard)
    with pytest.raises(EngineFailed) as failed:
        child.call("repeat", 60, 0.0, on_progress=unheard)
    assert failed.value.reason == "engine_hung"


@pytest.mark.slow
def test_an_engine_that_is_always_silent_for_long_is_given_ten_times_that(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), stall_seconds=0.5)
    child.start()
    for _ in range(3):
        child.call("steps", [0.0], 0.4, on_progress=unheard)
    child.call("steps", [0.0], 1.5, on_progress=unheard)
    with pytest.raises(EngineFailed):
        child.call("steps", [0.0], 30.0, on_progress=unheard)


@pytest.mark.slow
def test_a_frozen_child_is_noticed_and_killed(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), stall_seconds=0.5)
    os.kill(first := pid(child), signal.SIGSTOP)
    with pytest.raises(EngineFailed) as failed:
        child.call("pid", on_progress=unheard)
    assert failed.value.reason == "engine_hung"
    assert not running(first)


def test_a_message_that_stops_halfway_is_no_trap(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), stall_seconds=0.5)
    with pytest.raises(EngineFailed) as failed:
        child.call("half_a_message", on_progress=unheard)
    assert failed.value.reason == "engine_hung"


# Life and surroundings of a child


def test_starting_ahead_loads_only_when_that_is_asked_for(tmp_path: Path, started: Callable[..., EngineChild]) -> None:
    for preload in (True, False):
        counter = tmp_path / f"counter {preload}"
        child = started(ScriptedEngine(Script(counter=counter)), preload=preload)
        child.start()
        if preload:
            wait_until(counter.exists, seconds=5)
        child.call("transcribe", AUDIO, WINDOWS[0], REQUEST, on_progress=unheard)
        child.close()
        lines = counter.read_text().splitlines()
        assert lines == ["load", "call 0 290000"]


def test_starting_twice_makes_one_process(started: Callable[..., EngineChild]) -> None:
    before = children()
    child = started(Probe())
    child.start()
    child.start()
    (process,) = children() - before
    assert pid(child) == process


def test_closing_gives_the_memory_back_and_a_later_call_works(probe: EngineChild) -> None:
    first = pid(probe)
    probe.close()
    probe.close()
    assert first not in children()
    assert pid(probe) != first


def test_closing_ends_a_child_that_cannot_leave_by_itself(started: Callable[..., EngineChild]) -> None:
    child = started(Probe())
    os.kill(first := pid(child), signal.SIGSTOP)
    child.close()
    assert not running(first)


def test_a_child_leaves_by_itself_when_its_parent_hangs_up_though_it_is_busy_in_c() -> None:
    process = ChildProcess.start(pickle.dumps(ScriptedEngine(Script.parse("hang_in_c"))), Hosting())
    while not isinstance(process.receive(1.0), Ready):
        pass
    process.send(Call("transcribe", (AUDIO, WINDOWS[0], REQUEST)))
    time.sleep(0.2)
    assert process.end(grace=5.0) == "ended with exit code 0"


def test_a_child_is_replaced_after_so_many_calls(started: Callable[..., EngineChild]) -> None:
    child = started(Probe(), max_calls=2)
    pids = [pid(child) for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_a_child_that_keeps_too_much_memory_is_replaced(tmp_path: Path, started: Callable[..., EngineChild]) -> None:
    counter = tmp_path / "counter"
    script = Script.parse(f"leak:50; counter={counter}")
    child = started(ScriptedEngine(script), max_memory=120_000_000)
    for _ in range(4):
        child.call("transcribe", AUDIO, WINDOWS[0], REQUEST, on_progress=unheard)
    # About ten megabytes to begin with: the third call is over the limit, the fourth loads anew.
    loads = [line.split()[0] for line in counter.read_text().splitlines() if not line.startswith("act")]
    assert loads == ["load", "call", "call", "call", "load", "call"]


def test_a_child_survives_the_thread_that_started_it(probe: EngineChild) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(pid(probe)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert pid(probe) == found[0]


def test_a_child_sees_the_environment_it_is_given_and_no_more(
    monkeypatch: pytest.MonkeyPatch, started: Callable[..., EngineChild]
) -> None:
    monkeypatch.setenv("COLLOQUY_SECRET", "secret")
    child = started(Probe(), environment={"LANG": "C.UTF-8", "HF_HUB_OFFLINE": "0"}, threads=3)
    seen = child.call("environment", on_progress=unheard)
    assert isinstance(seen, dict)
    assert "COLLOQUY_SECRET" not in seen
    wanted = {
        "LANG": "C.UTF-8", "OMP_NUM_THREADS": "3", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYANNOTE_METRICS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
    assert {name: seen.get(name) for name in wanted} == wanted


def test_downloads_are_allowed_only_when_said(started: Callable[..., EngineChild]) -> None:
    seen = started(Probe(), downloads=True).call("environment", on_progress=unheard)
    assert isinstance(seen, dict)
    assert seen["HF_HUB_OFFLINE"] == "0"


def test_a_child_imports_nothing_that_its_adapter_does_not_need(probe: EngineChild) -> None:
    seen = probe.call("modules", on_progress=unheard)
    assert isinstance(seen, set)
    assert not seen & {"numpy", "av", "ctranslate2", "onnxruntime", "scipy", "structlog", "asyncio", "pytest"}


def test_a_child_starts_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: Callable[..., EngineChild]
) -> None:
    (tmp_path / "adapters.py").write_text("raise RuntimeError('a file of the folder was imported')")
    monkeypatch.chdir(tmp_path)
    assert pid(started(Probe()))


def test_when_memory_runs_out_the_kernel_takes_the_child_and_not_its_parent(probe: EngineChild) -> None:
    assert probe.call("oom_score", on_progress=unheard) == "500\n"


def test_what_an_engine_prints_neither_blocks_it_nor_piles_up(
    probe: EngineChild, capfd: pytest.CaptureFixture[str]
) -> None:
    probe.call("chatter", 5_000_000, on_progress=unheard)
    assert pid(probe)
    assert probe._process is not None
    assert len(probe._process.output) <= 40 * 1_000
    assert capfd.readouterr().out.count("x") < 100


def test_the_log_says_where_an_engine_crashed_and_the_caller_does_not_learn_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    hosted = HostedTranscriptionEngine(ScriptedEngine(Script.parse("segfault")), Hosting())
    with pytest.raises(EngineFailed) as failed:
        hosted.transcribe(AUDIO, WINDOWS[0], REQUEST, unheard)
    assert failed.value.detail == "the engine's process was ended by SIGSEGV"
    assert "in string_at" in "".join(capfd.readouterr())


def test_hosted_errors_can_be_passed_on_to_another_process(probe: EngineChild) -> None:
    with pytest.raises(ColloquyError) as failed:
        probe.call("leave", 1, on_progress=unheard)
    copy = pickle.loads(pickle.dumps(failed.value))  # noqa: S301 - its own bytes
    assert (copy.reason, copy.detail) == ("worker_crashed", failed.value.detail)


@pytest.mark.timeout(60)
@pytest.mark.slow
def test_fifty_children_leave_no_zombie_no_descriptor_and_no_thread(started: Callable[..., EngineChild]) -> None:
    child = started(Probe())
    pid(child)
    child.close()
    before = children(), descriptors(), threading.active_count()
    for number in range(50):
        child.start()
        if number % 3:
            pid(child)
        if number % 3 == 2:
            with pytest.raises(Stop):
                child.call("pid", on_progress=_raise_stop)
        child.close()
    assert (children(), descriptors(), threading.active_count()) == before


@pytest.mark.slow
def test_hosting_costs_at_most_a_twentieth_of_twenty_short_windows() -> None:
    """Twenty windows of 50 ms and twenty words each; the quickest run of each counts, for other processes disturb.

    A busy machine disturbs three runs of a window out of three, so it is tried until the cost shows, ten times at most.
    """
    engine = ScriptedEngine(Script.parse("sleep:0.05"))
    hosted = HostedTranscriptionEngine(engine, Hosting())
    windows = [Span(start, start + 10_000) for start in range(0, 200_000, 10_000)]

    def seconds(run: TranscriptionEngine, window: Span) -> float:
        begun = time.perf_counter()
        run.transcribe(AUDIO, window, REQUEST, unheard)
        return time.perf_counter() - begun

    at_home = away = [math.inf] * len(windows)
    try:
        hosted.transcribe(AUDIO, WINDOWS[0], REQUEST, unheard)
        for _ in range(10):
            at_home = [min(best, seconds(engine, window)) for best, window in zip(at_home, windows, strict=True)]
            away = [min(best, seconds(hosted, window)) for best, window in zip(away, windows, strict=True)]
            if sum(away) <= 1.05 * sum(at_home):
                break
    finally:
        hosted.close()
    print(f"hosted x {sum(away) / sum(at_home):.3f}")  # noqa: T201 - the figure to note
    assert sum(away) <= 1.05 * sum(at_home)
