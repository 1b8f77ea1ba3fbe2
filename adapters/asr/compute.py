"""Where Whisper computes, how precisely and how much at once, each with the reason; it loads no model.

It must not import a vendor: the API process asks it.
"""

import ctypes
import functools
from collections.abc import Callable, Collection
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_PREFERRED = {
    "cpu": ("int8", "int8_float32", "float32"),
    "cuda": ("int8_float16", "float16", "int8_float32", "float32"),
}
"""Best first: int8 halves memory and adds a third or more to the speed, for less than 0.1 % of the words."""
_NEAREST = {"float16": ("float32",), "int8_float16": ("int8_float32", "int8"), "int8": ("int8_float32",)}
"""What is nearest to a precision that a device does not have."""

_GPU_BATCH = 8
"""Chunks at once on a GPU: twice that gains no speed and costs memory (faster-whisper's README, OpenTranscribe)."""
_CPU_BATCH = 4
"""Chunks at once on a CPU: decoding a token reads all weights, whether for one chunk or four; more gain little."""
_SMALL = 600_000_000
"""Bytes of weights up to which a CPU decodes such a batch within seconds: the sizes up to `small`. Larger models would
be silent for minutes between two reports of progress, like an engine that hangs."""
_SHARE_OF_WEIGHTS = 0.7
"""What decoding one more chunk takes, as a share of the weights' file: keys and values of 1,500 frames and of five
beams in each layer, 0.6 for `base` and `small` in 32 bits, 0.4 for `large-v3`."""
_SPENDABLE = 0.5
"""The part of the free memory that chunks may take: the rest is for the diarizer beside it, and for error."""


def pick_device(asked: str) -> tuple[str, str]:
    """Resolve "auto", and say why; a device that was named is taken as it is."""
    if asked != "auto":
        return asked, "named"
    if not Path("/dev/nvidiactl").exists():
        return "cpu", "there is no NVIDIA GPU"
    if not _loads("libcublas.so.12"):
        return "cpu", "there is a GPU, but not the CUDA 12 library libcublas.so.12 that CTranslate2 needs"
    return "cuda", "there is a GPU, and the CUDA 12 library that CTranslate2 needs"


def pick_precision(asked: str, device: str, supported: Collection[str]) -> tuple[str, str]:
    """Choose among what CTranslate2 supports on the device, and say why.

    "default" is the best there is; a precision that the device does not have is replaced by its nearest.
    """
    if asked in supported:
        return asked, "named"
    preferred = _PREFERRED[device.partition(":")[0]]
    wanted = preferred if asked == "default" else (*_NEAREST.get(asked, ()), "float32")
    best = next(precision for precision in wanted if precision in supported)
    if asked != "default":
        return best, f"{device} does not support {asked}, and this is nearest"
    if best == preferred[0]:
        return best, f"smallest and fastest on {device}, for less than 0.1 % of the words"
    return best, f"{device} does not support {', '.join(preferred[: preferred.index(best)])}"


def pick_batch(asked: int, device: str, weights: int | None, free: int | None) -> tuple[int, str]:
    """Say how many chunks to decode at once with weights of so many bytes and so much free memory, and why."""
    if asked:
        return asked, "named"
    gpu = device.startswith("cuda")
    if not gpu and (weights is None or weights > _SMALL):
        return 1, "a large model takes long for one chunk on a CPU"
    most = _GPU_BATCH if gpu else _CPU_BATCH
    if free is None or weights is None:
        return most, "free memory is not known"
    fitting = max(1, int(free * _SPENDABLE / (weights * _SHARE_OF_WEIGHTS)))
    return min(most, fitting), f"{free >> 20} MiB are free" if fitting < most else "more gains nothing"


def pick_lanes(device: str, threads: int, batch: int) -> int:
    """Say how many batches to decode side by side on so many threads: a CPU's cores wait less for themselves alone.

    A decoder's steps are too small to be shared well between threads, so two lanes of half the threads each are
    faster than one of all; but two chunks of a large model at once would double the silence between reports.
    """
    return 2 if device == "cpu" and threads > 1 and batch > 1 else 1


def free_memory(device: str) -> int | None:
    """Return the bytes that may still be taken, or None where that cannot be told."""
    kind, _, number = device.partition(":")
    return _free_on_gpu(int(number or 0)) if kind == "cuda" else _free_on_host()


def _free_on_host() -> int | None:
    """Ask the machine, and the container's limit where there is one."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    try:
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such limit
        return free
    return min(free, max(0, limit - used))


def _free_on_gpu(number: int) -> int | None:
    """Ask the CUDA driver, within the context that CTranslate2 computes in too."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device, context = ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    steps: tuple[Callable[[], int], ...] = (
        lambda: cuda.cuInit(0),
        lambda: cuda.cuDeviceGet(ctypes.byref(device), number),
        lambda: cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device),
        lambda: cuda.cuCtxPushCurrent_v2(context),
        lambda: cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)),
        lambda: cuda.cuCtxPopCurrent_v2(ctypes.byref(context)),
    )
    return int(free.value) if all(step() == 0 for step in steps) else None


@functools.cache
def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
