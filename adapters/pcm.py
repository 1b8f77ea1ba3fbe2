"""Reading decoded audio from disk; never the whole recording at once."""

from typing import TYPE_CHECKING

from domain.media import SAMPLE_RATE, DecodedAudio
from domain.span import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES_PER_MS = SAMPLE_RATE // 1000
_FULL_SCALE = 32_768.0


def mapped(audio: DecodedAudio) -> "NDArray[np.int16]":
    """Map the whole recording, shape (samples,), without reading it; pages come in as they are touched."""
    import numpy as np

    if audio.duration == 0:
        return np.empty(0, dtype=np.int16)
    return np.memmap(audio.path, dtype="<i2", mode="r")


def samples(audio: DecodedAudio, span: Span) -> "NDArray[np.float32]":
    """Read one span as 32-bit floats in [-1, 1), shape (samples,); shorter where the recording ends first."""
    import numpy as np

    with open(audio.path, "rb") as file:  # noqa: PTH123 - a PurePath crosses the port
        file.seek(span.start * SAMPLES_PER_MS * 2)
        raw = file.read(span.duration * SAMPLES_PER_MS * 2)
    return np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2").astype(np.float32) / _FULL_SCALE
