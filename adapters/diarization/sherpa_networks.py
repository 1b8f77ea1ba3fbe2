"""sherpa-onnx's two networks: who speaks when in a stretch of sound, and what a voice is like.

It must not load weights that the library would end the process for.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.onnx_file import NotOnnx, metadata
from domain.errors import EngineUnavailable
from domain.media import SAMPLE_RATE
from domain.span import Span, to_ms

Sound = NDArray[np.float32]
Voice = NDArray[np.float32]
Turn = tuple[Span, int]
"""When somebody speaks, and the number of who it is."""
FILES = ("segmentation.onnx", "embedding.onnx")
_NEEDED = {
    "segmentation.onnx": {
        *("sample_rate", "window_size", "receptive_field_size", "receptive_field_shift"),
        *("num_speakers", "powerset_max_classes", "num_classes"),
    },
    "embedding.onnx": {"framework", "output_dim", "sample_rate"},
}
_FRAMEWORKS = ("wespeaker", "3d-speaker", "nemo")
_SHORTEST = 0.3
"""Seconds; what is shorter is a click, or too little to know a voice by. The library's own choice, as the next."""
_BRIDGE = 0.5
"""Seconds of silence that one speaker's turn may hold."""


class Networks:
    """Both networks, loaded; `threshold` is the cosine distance beyond which voices are two people's."""

    def __init__(self, folder: Path, *, threads: int, threshold: float) -> None:
        import sherpa_onnx

        _check(folder)
        self._library = sherpa_onnx
        pyannote = sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(model=str(folder / FILES[0]))
        embedding = sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=str(folder / FILES[1]), num_threads=threads)
        self._config = sherpa_onnx.OfflineSpeakerDiarizationConfig(
            segmentation=sherpa_onnx.OfflineSpeakerSegmentationModelConfig(pyannote=pyannote, num_threads=threads),
            embedding=embedding,
            clustering=sherpa_onnx.FastClusteringConfig(num_clusters=-1, threshold=threshold),
            min_duration_on=_SHORTEST,
            min_duration_off=_BRIDGE,
        )
        self._diarization = sherpa_onnx.OfflineSpeakerDiarization(self._config)
        self._extractor = sherpa_onnx.SpeakerEmbeddingExtractor(embedding)
        self._threshold = threshold

    def turns(self, sound: Sound, speakers: int | None, told: Callable[[float], None]) -> list[Turn]:
        """Return turns, sorted, with a speaker's number each; times count from the start of `sound`.

        As many `speakers` as are given are looked for; None leaves that to the threshold. What `told` raises passes.
        """
        if not len(sound):
            return []
        self._config.clustering = self._library.FastClusteringConfig(
            num_clusters=speakers or -1, threshold=self._threshold
        )
        self._diarization.set_config(self._config)

        def heard(done: int, of: int) -> int:
            told(done / max(1, of))
            return 0

        found = self._diarization.process(sound, heard).sort_by_start_time()
        length = len(sound) * 1000 // SAMPLE_RATE
        spans = [(Span(to_ms(turn.start), to_ms(turn.end)).clamp(Span(0, length)), turn.speaker) for turn in found]
        return sorted((span, int(speaker)) for span, speaker in spans if span.duration)

    @property
    def nobody(self) -> Voice:
        """Zeros."""
        return np.zeros(self._extractor.dim, np.float32)

    def voice(self, sound: Sound) -> Voice | None:
        """Return what the voice in `sound` is like, as a vector of length one; None for too little of it."""
        if len(sound) < _SHORTEST * SAMPLE_RATE:
            return None
        stream = self._extractor.create_stream()
        stream.accept_waveform(SAMPLE_RATE, sound)
        stream.input_finished()
        if not self._extractor.is_ready(stream):
            return None
        voice = np.asarray(self._extractor.compute(stream), np.float32)
        norm = float(np.linalg.norm(voice))
        return voice / norm if np.isfinite(norm) and norm > 0 else None


def _check(folder: Path) -> None:
    """Refuse weights for which the library would end the process instead of raising.

    Raises:
        EngineUnavailable: their metadata is not what it wants.
    """
    for name, needed in _NEEDED.items():
        try:
            told = metadata(folder / name)
        except (NotOnnx, OSError) as exc:
            raise EngineUnavailable(f"{name} of the diarization model is no ONNX file: fetch it again") from exc
        if lacking := needed - told.keys():
            raise EngineUnavailable(
                f"{name} lacks what sherpa-onnx wants ({', '.join(sorted(lacking))}): use an export made for it"
            )
    if told["framework"] not in _FRAMEWORKS:
        raise EngineUnavailable(
            f"embedding.onnx is of '{told['framework']}'; sherpa-onnx knows {', '.join(_FRAMEWORKS)}"
        )
    if int(told["sample_rate"]) != SAMPLE_RATE:
        raise EngineUnavailable(
            f"embedding.onnx wants {told['sample_rate']} Hz; recordings are decoded to {SAMPLE_RATE}"
        )
