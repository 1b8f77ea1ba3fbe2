"""Where Whisper computes, how precisely and how much at once; and that the service's log says why."""

import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.asr import compute
from adapters.asr.compute import free_memory, pick_batch, pick_device, pick_lanes, pick_precision
from adapters.asr.faster_whisper import FasterWhisperEngine
from adapters.hosting.hosted import HostedTranscriptionEngine
from adapters.hosting.policy import Hosting

MIB = 1 << 20
CPU = {"int8", "int8_float32", "float32", "int16"}
GPU = {"int8", "int8_float16", "int8_float32", "float16", "float32", "bfloat16"}
WEIGHTS = Path(__file__).parents[1] / "data" / "small-whisper"


@pytest.mark.parametrize(
    ("asked", "device", "supported", "chosen", "why"),
    [
        ("default", "cpu", CPU, "int8", "smallest and fastest on cpu"),
        ("default", "cuda", GPU, "int8_float16", "smallest and fastest on cuda"),
        ("default", "cuda:1", GPU - {"int8_float16"}, "float16", "cuda:1 does not support int8_float16"),
        ("default", "cuda", {"float32"}, "float32", "does not support int8_float16, float16, int8_float32"),
        ("float32", "cpu", CPU, "float32", "named"),
        ("float16", "cpu", CPU, "float32", "cpu does not support float16"),
        ("int8_float16", "cpu", CPU, "int8_float32", "cpu does not support int8_float16"),
    ],
)
def test_the_precision_is_the_best_of_the_device(
    asked: str, device: str, supported: set[str], chosen: str, why: str
) -> None:
    precision, because = pick_precision(asked, device, supported)
    assert precision == chosen
    assert why in because


@pytest.mark.parametrize(
    ("asked", "device", "weights", "free", "batch"),
    [
        (3, "cpu", 3_000 * MIB, 0, 3),
        (0, "cuda", 3_000 * MIB, 70_000 * MIB, 8),
        (0, "cuda:1", 3_000 * MIB, 10_000 * MIB, 2),
        (0, "cuda", 3_000 * MIB, 1_000 * MIB, 1),
        (0, "cuda", 3_000 * MIB, None, 8),
        (0, "cpu", 145 * MIB, 16_000 * MIB, 4),
        (0, "cpu", 480 * MIB, 1_000 * MIB, 1),
        (0, "cpu", 1_500 * MIB, 64_000 * MIB, 1),
        (0, "cpu", None, None, 1),
    ],
)
def test_the_batch_fits_the_free_memory(
    asked: int, device: str, weights: int | None, free: int | None, batch: int
) -> None:
    assert pick_batch(asked, device, weights, free)[0] == batch


def test_only_small_models_on_a_processor_have_two_lanes() -> None:
    assert pick_lanes("cpu", 2, 4) == 2
    assert {pick_lanes("cpu", 1, 4), pick_lanes("cpu", 8, 1), pick_lanes("cuda", 8, 8)} == {1}


def test_the_device_is_the_one_that_was_named_or_that_can_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cuda:3") == ("cuda:3", "named")
    monkeypatch.setattr(compute, "Path", lambda _: WEIGHTS)  # there is a GPU
    monkeypatch.setattr(compute, "_loads", lambda library: library == "libcublas.so.12")
    assert pick_device("auto")[0] == "cuda"
    monkeypatch.setattr(compute, "_loads", lambda _: False)
    device, why = pick_device("auto")
    assert device == "cpu"
    assert "libcublas.so.12" in why


def test_free_memory_is_told() -> None:
    free = free_memory("cpu")
    assert free is not None
    assert 16 * MIB < free < 1 << 50


@pytest.mark.parametrize("limit", ["max", str(1 << 60), "1000000000"])
def test_a_containers_limit_counts(limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory.current").write_text("999000000")
    whole = free_memory("cpu")
    monkeypatch.setattr(compute, "_CGROUP", tmp_path)
    free = free_memory("cpu")
    assert free is not None
    assert whole is not None
    assert free == 1_000_000 if limit == "1000000000" else free > whole / 2


def test_the_reasons_stand_in_the_log_of_the_service() -> None:
    with capture_logs() as logs:
        engine = FasterWhisperEngine(models_dir=WEIGHTS.parent, model=str(WEIGHTS), device="cpu", threads=1)
        hosted = HostedTranscriptionEngine(engine, Hosting(preload=True))
        hosted.start()
        until = time.monotonic() + 18
        while not any(log["event"] == "model loaded" for log in logs) and time.monotonic() < until:
            time.sleep(0.05)
        hosted.close()
    (loaded,) = [log for log in logs if log["event"] == "model loaded"]
    assert (loaded["device"], loaded["device_because"]) == ("cpu", "named")
    assert (loaded["compute_type"], loaded["batch_size"]) == ("int8", 4)
    assert "smallest and fastest" in loaded["compute_type_because"]
    assert loaded["batch_size_because"]
