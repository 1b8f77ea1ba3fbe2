"""How a pyannote pipeline is run: on which device, how much at once, and with how much less when memory is short.

It must not import a vendor: the API process makes it of the settings.
"""

import ctypes
import functools
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.diarization.pyannote_weights import DEFAULT

_GPU_VOICES, _CPU_VOICES = 16, 4
"""Voices at once: on a GPU the speed saturates at 16 (OpenTranscribe); a CPU gains nothing and shall report often."""
_WINDOWS = 32
"""Windows that are segmented at once; they are small, and take a CPU one to three seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PyannoteOptions:
    """How a pipeline is run.

    `model` is a name of the catalogue, a directory in `models_dir`, or a path. `device` is "auto", "cpu", "cuda" or
    "cuda:N"; batches of 0 follow from it. `block` is ms of recording that are diarized at once.
    """

    models_dir: Path
    model: str = DEFAULT
    device: str = "auto"
    segmentation_batch: int = 0
    embedding_batch: int = 0
    block: int = 1_800_000
    max_speakers: int = 20
    allow_download: bool = False
    cpu_fallback: bool = False

    @property
    def resolved_device(self) -> str:
        """The device as far as can be told without loading anything."""
        if self.device != "auto":
            return self.device
        return "cuda" if _gpu_is_there() else "cpu"

    @property
    def windows(self) -> int:
        """Windows that are segmented at once."""
        return self.segmentation_batch or _WINDOWS

    @property
    def voices(self) -> int:
        """Voices that are embedded at once."""
        return self.embedding_batch or (_CPU_VOICES if self.resolved_device == "cpu" else _GPU_VOICES)

    def reduced(self) -> "tuple[PyannoteOptions, str] | None":
        """Take a quarter of the batches, then the CPU if that is allowed; with a sentence on it."""
        if self.voices > 1:
            windows, voices = max(1, self.windows // 4), max(1, self.voices // 4)
            less = replace(self, segmentation_batch=windows, embedding_batch=voices)
            return less, f"a batch of {voices} instead of {self.voices} voices, for want of memory"
        if self.resolved_device != "cpu" and self.cpu_fallback:
            sentence = f"computed on the CPU instead of {self.resolved_device}, for want of memory"
            return replace(self, device="cpu"), sentence
        return None


@functools.cache
def _gpu_is_there() -> bool:
    """Whether there is a GPU with its driver; torch brings all else that it needs of CUDA."""
    if not Path("/dev/nvidiactl").exists():
        return False
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
