"""What a Whisper engine does without when memory runs out, one step after another.

It must not load anything, nor look at a device.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What decides how much memory a Whisper takes; `step` counts the steps down that were taken or passed over."""

    device: str
    compute_type: str
    batch_size: int
    step: int = 0


def reduced(before: Footprint, *, cpu_fallback: bool) -> tuple[Footprint, str] | None:
    """Take the next step that saves anything, and put it in a sentence: half the batch, eight bits, the CPU.

    The batch comes first because it costs no words. Each is taken once: halving again and again would leave an engine
    that is out of its depth where it is.

    >>> reduced(Footprint(device="cuda", compute_type="float16", batch_size=8), cpu_fallback=False)[1]
    'a batch of 4 instead of 8, for want of memory'
    """
    return next((down for down in _steps(before, cpu_fallback=cpu_fallback) if down[0].step > before.step), None)


def _steps(before: Footprint, *, cpu_fallback: bool) -> Iterator[tuple[Footprint, str]]:
    if before.batch_size > 1:
        half = before.batch_size // 2
        sentence = f"a batch of {half} instead of {before.batch_size}, for want of memory"
        yield replace(before, batch_size=half, step=1), sentence
    # `default` is int8 on a CPU and int8_float16 on a GPU wherever the device can do it.
    if before.compute_type in {"float16", "float32", "bfloat16", "int16"}:
        smaller = "int8" if before.device == "cpu" else "int8_float16"
        sentence = f"computed in {smaller} instead of {before.compute_type}, for want of memory"
        yield replace(before, compute_type=smaller, step=2), sentence
    if cpu_fallback and before.device != "cpu":
        sentence = f"computed on the CPU instead of {before.device}, for want of memory"
        yield Footprint(device="cpu", compute_type="default", batch_size=1, step=3), sentence
