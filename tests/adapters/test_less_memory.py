"""What faster-whisper does without for want of memory: pure configuration, which the hosting walks (O-03)."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from adapters.asr.faster_whisper import FasterWhisperEngine
from adapters.hosting.ladder import Ladder, Reducible


def way_down(**options: Any) -> tuple[str, ...]:
    ladder = Ladder(FasterWhisperEngine(models_dir=Path("none"), **options), 600.0)
    while ladder.descend():
        pass
    return ladder.sentences


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        (
            {"device": "cuda", "compute_type": "float16", "batch_size": 8, "cpu_fallback": True},
            ("a batch of 4 instead of 8", "int8_float16 instead of float16", "the CPU instead of cuda"),
        ),
        ({"device": "cuda", "compute_type": "float16", "batch_size": 8}, ("a batch of 4", "int8_float16")),
        ({"device": "cuda:1", "batch_size": 2, "cpu_fallback": True}, ("a batch of 1", "the CPU instead of cuda:1")),
        ({"device": "cuda", "batch_size": 1}, ()),
        ({"device": "cpu", "compute_type": "float32", "cpu_fallback": True}, ("int8 instead of float32",)),
        ({"device": "cpu", "batch_size": 4}, ("a batch of 2 instead of 4",)),
        ({"device": "cpu"}, ()),
    ],
)
def test_each_step_is_taken_once_and_only_where_it_saves_something(
    options: dict[str, Any], steps: tuple[str, ...]
) -> None:
    taken = way_down(**options)
    assert len(taken) == len(steps)
    assert all(step in sentence for step, sentence in zip(steps, taken, strict=True))
    assert all(sentence.endswith("for want of memory") for sentence in taken)


def test_what_is_left_is_an_engine_that_can_be_sent_to_a_child() -> None:
    engine = FasterWhisperEngine(models_dir=Path("none"), device="cuda:1", batch_size=8, cpu_fallback=True)
    assert isinstance(engine, Reducible)
    less: Any = engine
    for device in ("cuda:1", "cpu"):
        less, _ = pickle.loads(pickle.dumps(less.reduced()))  # noqa: S301 - its own bytes
        assert less.capabilities().device == device
    assert engine.capabilities().device == "cuda:1", "the engine that it came from is as it was"
