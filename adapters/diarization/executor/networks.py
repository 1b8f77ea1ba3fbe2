"""The two networks on ONNX Runtime: windows of sound to who is active, features to frames.

It must not hold more than the batch it is given, nor know where sound comes from.
"""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from adapters.diarization.executor.exported import Embedding, Segmentation
from adapters.diarization.executor.fbank import Features
from domain.errors import EngineFailed, EngineUnavailable

if TYPE_CHECKING:
    import onnxruntime

Active = NDArray[np.uint8]
"""For each frame the voices that are active in it, as bits: slot s is bit s."""


class Segmenter:
    """Hears windows and says which of a few local voices are active in each frame."""

    def __init__(self, folder: Path, given: Segmentation, threads: int) -> None:
        self._session = _session(folder / given.file, threads)
        self._sets = _sets(given.slots, given.at_once)

    def active(self, windows: NDArray[np.float32]) -> Active:
        """Windows (n, samples) to (n, frames)."""
        scores = _run(self._session, windows[:, None, :])
        found: Active = self._sets[scores.argmax(axis=2)]
        return found


class Trunk:
    """Makes frames, of which statistics are taken, of centred features."""

    def __init__(self, folder: Path, given: Embedding, threads: int) -> None:
        self._session = _session(folder / given.trunk, threads)

    def frames(self, features: Features) -> NDArray[np.float32]:
        """Features (frames, bins) to (channels, fewer frames)."""
        made: NDArray[np.float32] = _run(self._session, features[None])[0]
        return made


def _sets(slots: int, at_once: int) -> Active:
    """Give the voices of each class of the network: nobody, each alone, each pair, and so on."""
    found = [
        sum(1 << slot for slot in chosen) for size in range(at_once + 1) for chosen in combinations(range(slots), size)
    ]
    return np.array(found, np.uint8)


def _session(path: Path, threads: int) -> "onnxruntime.InferenceSession":
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin for their next piece of work take a core from the recogniser beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base
        raise EngineUnavailable(f"{path} cannot be loaded: {error}") from error


def _run(session: "onnxruntime.InferenceSession", given: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        answer: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: given})[0]
    except Exception as error:  # as above
        raise EngineFailed(f"Diarization failed: {error}") from error
    return answer
