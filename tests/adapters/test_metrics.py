"""Takers of notes against their contract, and what Prometheus is shown."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.hosting.hosted import HostedTranscriptionEngine
from adapters.hosting.policy import Hosting
from adapters.observability import catalogue
from adapters.observability.gpus import Gpu, Gpus
from adapters.observability.listener import Listener
from adapters.observability.null import NullMetrics
from adapters.observability.prometheus import MOST_WORDS, OTHER, PrometheusMetrics
from adapters.observability.whole import Whole
from adapters.observability.workplace import Workplace
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from application.ports.asr import RecognitionRequest
from application.ports.metrics import Metrics
from domain.census import USUAL_CAUSES, Census, Kept
from domain.errors import EngineFailed
from domain.media import DecodedAudio
from domain.span import Span
from domain.stage import Stage, StageName, StageStatus
from domain.task import TaskStatus
from tests.contracts.metrics import ODD, MetricsContract, note_everything
from tests.contracts.proof import failures
from tests.scrapes import Scrape

AUDIO = DecodedAudio(path=Path("not-read"), duration=60_000)
CENSUS = Census(
    tasks=dict.fromkeys(TaskStatus, 2) | {TaskStatus.DONE: 9}, waiting=5, oldest_s=61.5, running=3,
    attempts={"completed": 9, "lease_expired": 4, "out_of_memory": 1}, undelivered=7, overdue_s=12.0,
    stored={Kept.RECORDINGS: 2**40, Kept.CLIPS: 10},
)  # fmt: skip


class TestPrometheusMetrics(MetricsContract, adapter=PrometheusMetrics):
    @pytest.fixture
    def metrics(self) -> Metrics:
        return PrometheusMetrics("test")


class TestNullMetrics(MetricsContract, adapter=NullMetrics):
    @pytest.fixture
    def metrics(self) -> Metrics:
        return NullMetrics()


class StrictMetrics(NullMetrics):
    def turned_away(self, zone: str) -> None:
        zone.encode("ascii")

    def stage_ran(self, stage: Stage, *, audio_ms: int) -> None:
        _ = stage.seconds / audio_ms


class SlowMetrics(NullMetrics):
    def loop_late(self, seconds: float) -> None:  # noqa: ARG002
        until = time.process_time() + 0.01
        while time.process_time() < until:
            pass


class TiedMetrics(NullMetrics):
    def __init__(self) -> None:
        self._home = threading.get_ident()

    def request_began(self) -> None:
        if threading.get_ident() != self._home:
            raise RuntimeError("not here")


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (StrictMetrics, "test_no_word_makes_it_fail"),
        (StrictMetrics, "test_no_figure_makes_it_fail"),
        (SlowMetrics, "test_it_holds_up_nobody"),
        (TiedMetrics, "test_any_thread_may_call"),
    ],
)
async def test_the_contract_catches(broken: type[Metrics], caught_by: str) -> None:
    assert await failures(MetricsContract, caught_by, metrics=broken)


def scraped(metrics: PrometheusMetrics) -> Scrape:
    return Scrape(metrics.text())


def test_everything_that_is_noted_is_shown() -> None:
    metrics = PrometheusMetrics("1.2")
    stage = Stage(
        name=StageName.RECOGNITION, status=StageStatus.RAN, engine="whisper", model="small", device="cpu", seconds=3.0
    )  # fmt: skip
    metrics.stage_ran(stage, audio_ms=6000)
    metrics.stage_ran(Stage(name=StageName.DECODE, status=StageStatus.RAN, engine="wav/pcm", seconds=1.0), audio_ms=0)
    metrics.answered(method="BREW", route="", status=404, seconds=0.25)
    metrics.request_began()
    metrics.turned_away("uploads")
    metrics.task_ended(TaskStatus.ERROR)
    metrics.model_loaded("whisper", "small", 2.0)
    metrics.did_with_less("whisper", 2)
    metrics.engine_replaced("whisper", "hung")
    metrics.webhook_attempted("given_up")
    shown = scraped(metrics)
    work = {"stage": "recognition", "engine": "whisper", "model": "small", "device": "cpu"}
    assert shown.value("colloquy_stage_seconds_sum", **work) == 3.0
    assert shown.value("colloquy_stage_audio_seconds_total", **work) == 6.0
    assert shown.value("colloquy_real_time_factor_sum", **work) == 0.5
    decode = {"stage": "decode", "engine": "", "model": "", "device": ""}
    assert shown.value("colloquy_stage_seconds_count", **decode) == 1.0
    assert shown.value("colloquy_real_time_factor_count", **decode) is None, "of no audio there is no factor"
    request = {"method": OTHER, "route": "unmatched", "status": "404"}
    assert shown.value("colloquy_http_request_duration_seconds_sum", **request) == 0.25
    assert shown.value("colloquy_http_requests_in_progress") == 1.0
    assert shown.value("colloquy_rate_limited_total", zone="uploads") == 1.0
    assert shown.value("colloquy_tasks_ended_total", status="error") == 1.0
    assert shown.value("colloquy_model_loads_total", engine="whisper", model="small") == 1.0
    assert shown.value("colloquy_model_load_seconds_sum", engine="whisper", model="small") == 2.0
    assert shown.value("colloquy_out_of_memory_steps_total", engine="whisper", step="2") == 1.0
    assert shown.value("colloquy_engine_restarts_total", engine="whisper", cause="hung") == 1.0
    assert shown.value("colloquy_webhook_attempts_total", outcome="given_up") == 1.0
    assert shown.value("colloquy_build_info", version="1.2") == 1.0


def test_o09_words_that_nobody_foresaw_make_no_series_without_end() -> None:
    metrics = PrometheusMetrics("test")
    for number in range(3 * MOST_WORDS):
        note_everything(metrics, f"word-{number}")
    for word in ODD:
        note_everything(metrics, word)
    shown = scraped(metrics)
    assert all(len(values) <= MOST_WORDS + 2 for values in shown.label_values().values())
    total = sum(value for name, _, value in shown.samples if name == "colloquy_rate_limited_total")
    assert total == 3 * MOST_WORDS + len(ODD), "what has no series of its own is counted all the same"


def everything_shown() -> bytes:
    metrics, whole = PrometheusMetrics("test"), Whole()
    note_everything(metrics, "word")
    whole.tell_census(CENSUS)
    whole.tell_parts({"database": "ok", "broker": "does not answer"})
    whole.tell_volumes({"data": (10, 100)})
    workplace = Workplace(
        slots=8, busy=lambda: 3, devices=lambda: ["cpu"], out=lambda: ["cuda:0"], memory=lambda: {"parent": 99},
        gpus=lambda: [Gpu("0", 4, 8, 0.5)],
    )  # fmt: skip
    metrics.show(whole)
    metrics.show(workplace)
    return metrics.text()


def test_every_series_of_the_catalogue_is_shown_with_its_labels_and_no_other() -> None:
    families = {family.name: family for family in text_string_to_metric_families(everything_shown().decode())}
    of_ours = {name for name in families if name.startswith(catalogue.PREFIX)}
    assert of_ours == {series.full.removesuffix("_total") for series in catalogue.CATALOGUE}
    for series in catalogue.CATALOGUE:
        family = families[series.full.removesuffix("_total")]
        assert (family.type, family.documentation) == (series.kind, series.help)
        labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        assert labels == {frozenset(series.labels)}, series.name


@pytest.mark.slow
def test_promtool_finds_nothing_to_say() -> None:
    told = subprocess.run(["promtool", "check", "metrics"], input=everything_shown(), capture_output=True, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, b"", b"")


def test_what_the_database_told_is_shown_as_it_was_told() -> None:
    shown = Scrape(everything_shown())
    assert shown.by("colloquy_tasks", "status") == {str(status): count for status, count in CENSUS.tasks.items()}
    attempts = {**dict.fromkeys(USUAL_CAUSES, 0.0), **CENSUS.attempts}
    assert shown.by("colloquy_attempts_total", "cause") == attempts
    assert shown.value("colloquy_lease_expiries_total") == 4.0
    assert shown.value("colloquy_queue_oldest_seconds") == 61.5
    assert shown.value("colloquy_webhook_lag_seconds") == 12.0
    assert shown.value("colloquy_stored_bytes", kind="recordings") == 2.0**40
    assert shown.by("colloquy_part_up", "part") == {"database": 1.0, "broker": 0.0}
    assert shown.by("colloquy_slots", "state") == {"busy": 3.0, "free": 5.0}
    assert shown.by("colloquy_device_out_of_service", "device") == {"cpu": 0.0, "cuda:0": 1.0}


def test_what_nobody_has_asked_after_since_is_left_out() -> None:
    whole = Whole(seconds=0.2)
    whole.tell_census(CENSUS)
    whole.tell_parts({"database": "ok"})
    assert {family.name for family in whole.collect()} >= {"colloquy_tasks", "colloquy_part_up"}
    whole.tell_census(None)
    assert [family.name for family in whole.collect()] == ["colloquy_part_up"]
    time.sleep(0.25)
    assert list(whole.collect()) == []


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener("127.0.0.1", 0, lambda: b"colloquy_x 1\n").start()
    yield listening
    listening.stop()


def test_the_port_shows_the_numbers_and_nothing_else(listener: Listener) -> None:
    base = f"http://127.0.0.1:{listener.port}"
    answer = httpx.get(f"{base}/metrics", trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"colloquy_x 1\n")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for path in ("/", "/metrics/x", "/api/v1/health"):
        assert httpx.get(base + path, trust_env=False).status_code == 404


def test_a_taken_port_is_an_error_at_once(listener: Listener) -> None:
    with pytest.raises(OSError, match="in use"):
        Listener("127.0.0.1", listener.port, bytes)


class LostGpu(Exception):
    """The vendor's error."""


def driver(*, broken: bool = False, absent: bool = False) -> ModuleType:
    """The vendor's module with two GPUs, as far as it is used; there is none in this machine."""
    module = ModuleType("pynvml")

    def init() -> None:
        if absent:
            raise LostGpu

    def memory(handle: int) -> SimpleNamespace:
        if broken:
            raise LostGpu
        return SimpleNamespace(total=80 << 30, used=(handle + 1) << 30, free=0)

    vars(module).update(
        NVMLError=LostGpu, nvmlInit=init, nvmlDeviceGetCount=lambda: 2, nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=memory, nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=40 + handle),
    )  # fmt: skip
    return module


def test_gpus_are_what_the_driver_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver())
    assert Gpus()() == [Gpu("0", 1 << 30, 80 << 30, 0.4), Gpu("1", 2 << 30, 80 << 30, 0.41)]


@pytest.mark.parametrize("trouble", ["absent", "broken"])
def test_a_machine_without_a_driver_or_with_a_lost_gpu_has_none(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver(**{trouble: True}))
    gpus = Gpus()
    assert gpus() == []
    assert gpus() == []


def test_the_vendors_module_has_what_is_used() -> None:
    import pynvml  # noqa: PLC0415 - it is looked at and not used

    assert all(hasattr(pynvml, name) for name in vars(driver()) if name.startswith(("nvml", "NVML")))


def test_an_engines_life_is_noted(tmp_path: Path) -> None:
    """It loads, does with less when memory runs out, dies, and is told to stop; and its memory shows while it lives."""
    metrics = PrometheusMetrics("test")
    script = Script.parse(f"oom_torch@2x1; segfault@4x1; counter={tmp_path / 'counter'}")
    engine = HostedTranscriptionEngine(ScriptedEngine(script), Hosting(preload=True), None, metrics)
    assert engine.resident == 0

    def heard() -> None:
        engine.transcribe(AUDIO, Span(0, 1000), RecognitionRequest(speech=(Span(0, 1000),)), lambda _: None)

    heard()
    assert engine.resident > 5_000_000
    heard()
    with pytest.raises(EngineFailed):
        heard()
    heard()
    engine.close()
    assert engine.resident == 0
    shown = scraped(metrics)
    assert shown.by("colloquy_engine_restarts_total", "cause") == {"out_of_memory": 1.0, "crashed": 1.0}
    assert shown.value("colloquy_out_of_memory_steps_total", engine="scripted", step="1") == 1.0
    assert shown.value("colloquy_model_loads_total", engine="scripted", model="scripted") == 3.0
    assert shown.value("colloquy_model_load_seconds_count", engine="scripted", model="scripted") == 3.0
