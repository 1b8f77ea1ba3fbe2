"""A loaded pyannote pipeline: waveforms in, speakers with turns and centroids out; the only module that knows torch.

It must not open a connection nor decode a file: networks come from this machine, sound as samples.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from adapters.diarization.pyannote_weights import CONFIG, localised
from domain.errors import EngineUnavailable
from domain.media import SAMPLE_RATE
from domain.span import Span, to_ms

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torchcodec may be absent or broken: only files need it
    from pyannote.audio import Pipeline
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.telemetry import set_telemetry_metrics

if TYPE_CHECKING:
    from pyannote.core import Annotation

set_telemetry_metrics(enabled=False)

Samples = NDArray[np.float32]
_SEGMENTED = 0.05
"""Share of the work before embeddings; the rest is theirs, but for a moment. On a CPU it is less: 2 % was measured."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Who was heard in a stretch of sound; speakers are numbers, spans count from its start.

    `centroids` has a row for each speaker, of zeros where its voice could not be told.
    """

    turns: tuple[tuple[Span, int], ...]
    exclusive: tuple[tuple[Span, int], ...]
    centroids: NDArray[np.float64]


class LoadedPipeline:
    """The networks of a directory on a device: "auto", "cpu", "cuda" or "cuda:N".

    Batches are of windows (`segmentation_batch`) and of voices in windows (`embedding_batch`).

    Raises:
        EngineUnavailable: the directory is no such pipeline, or the device is not here.
    """

    def __init__(self, folder: Path, *, device: str, segmentation_batch: int, embedding_batch: int) -> None:
        config = localised(yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8")), folder)
        params: Any = config["pipeline"]
        # Only VBx needs the PLDA, but without one any pipeline would ask the hub for it.
        params["params"].setdefault("plda", PLDA.__new__(PLDA))
        with _quiet():
            pipeline: Any = Pipeline.from_pretrained(config)
            pipeline.to(_device(device))
        pipeline.segmentation_batch_size = segmentation_batch
        pipeline.embedding_batch_size = embedding_batch
        self._pipeline = pipeline

    @property
    def window(self) -> int:
        """Milliseconds that the networks hear at once."""
        return to_ms(self._pipeline._segmentation.duration)  # noqa: SLF001 - the pipeline has no name for it

    def hear(self, sound: Samples, least: int, most: int, report: Callable[[float], None]) -> Heard:
        """Tell the speakers of a stretch apart; `report` hears the done fraction."""
        file = {"waveform": torch.from_numpy(sound)[None], "sample_rate": SAMPLE_RATE, "uri": "recording"}
        with _quiet():
            output = self._pipeline(file, min_speakers=least, max_speakers=most, hook=_Hook(report))
        labels: list[str] = output.speaker_diarization.labels()
        length = len(sound) * 1000 // SAMPLE_RATE
        turns, exclusive = (
            tuple(_turns(annotation, labels, length))
            for annotation in (output.speaker_diarization, output.exclusive_speaker_diarization)
        )
        centroids = np.nan_to_num(np.asarray(output.speaker_embeddings, np.float64)[: len(labels)])
        return Heard(turns, exclusive, centroids)

    def padded(self, sound: Samples) -> Samples:
        """Add silence up to a window, as the pipeline does where a recording ends."""
        missing = self.window * SAMPLE_RATE // 1000 - len(sound)
        return np.pad(sound, (0, max(0, missing)))

    def voices(self, sound: Samples, spans: Sequence[Span]) -> NDArray[np.float64]:
        """Return the voice in each span of one window of sound: in the space of the centroids, NaN where it fails.

        As in the pipeline the network hears the whole window, and only pools the frames of a span.
        """
        network = self._pipeline._embedding  # noqa: SLF001 - as above
        frames = self._pipeline._segmentation.model.num_frames(len(sound))  # noqa: SLF001
        centres = (np.arange(frames) + 0.5) * len(sound) * 1000 / SAMPLE_RATE / frames
        masks = np.stack([(centres >= span.start) & (centres < span.end) for span in spans]).astype(np.float32)
        with _quiet():
            found = network(torch.from_numpy(sound)[None, None], masks=torch.from_numpy(masks)[None])
        return np.asarray(found[0], np.float64)


class _Hook:
    """What the pipeline calls after each batch and step; it can call with any step, and steps may start anew."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report

    def __call__(
        self, step: str, _artifact: object, *, total: int | None = None, completed: int | None = None, **_: object
    ) -> None:
        done = (completed or 0) / total if total else 1.0
        if step == "segmentation":
            self._report(_SEGMENTED * done)
        elif step == "embeddings":
            self._report(_SEGMENTED + (0.99 - _SEGMENTED) * done)


def _turns(annotation: "Annotation", labels: list[str], length: int) -> Iterator[tuple[Span, int]]:
    """Give what is inside the sound: the last window is padded, and turns may end in the padding."""
    for segment, _, label in annotation.itertracks(yield_label=True):
        span = Span(max(0, to_ms(max(0.0, segment.start))), to_ms(max(0.0, segment.end))).clamp(Span(0, length))
        if span.duration:
            yield span, labels.index(label)


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise EngineUnavailable(f"DIARIZATION_DEVICE is {wanted}, but torch finds no GPU here")
    return torch.device(wanted)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the vendor's warnings (of its codecs, its reproducibility, short recordings) from being taken for ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
