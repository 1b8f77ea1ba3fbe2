"""Diarization by pyannote's networks without pyannote or torch: exported, on ONNX Runtime.

It must not import numpy or a vendor before the first call, nor hold more of a recording than some windows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.diarization.executor.exported import find_exported, read_exported
from adapters.loading import loading
from application.ports.diarization import DiarizationEngine, DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from domain.errors import EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span, restricted
from domain.speaker import Diarization

if TYPE_CHECKING:
    from adapters.diarization.executor.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOptions:
    """How an exported pipeline is run. `fast` hears the recording once, not by windows.

    `model` is a name in `models_dir`, or the path of a directory, as `find_exported` takes them.
    """

    model: str
    models_dir: Path
    fast: bool = False
    threads: int = 1
    max_speakers: int = 20


class PyannoteOnnxDiarizer(DiarizationEngine):
    """Finds speech, overlap and speakers as the exported pipeline does, with a sixth of the work or less.

    The exact mode passes each window through the voices' network once, where the original does for each speaker of it.
    The fast mode passes the recording through it once, which leaves the windows' edges out and centres features over
    a running mean. As in the original, speech is found by the network: the regions in a request only say whether there
    is any.
    """

    def __init__(self, options: ExecutorOptions) -> None:
        self._options = options
        self._pipeline: Pipeline | None = None

    def __getstate__(self) -> dict[str, object]:
        """Travel unloaded."""
        return {**self.__dict__, "_pipeline": None}

    def capabilities(self) -> DiarizerCapabilities:
        """Name the pipeline as the settings do; a path must not reach callers."""
        here = find_exported(self._options.model, self._options.models_dir)
        return DiarizerCapabilities(
            engine="pyannote_onnx",
            model=Path(self._options.model).name,
            max_speakers=self._options.max_speakers,
            embeds=True,
            absent="" if here else "pyannote's networks are not here as ONNX files",
        )

    def load(self) -> None:
        """Load the networks ahead of the first call."""
        self._ready()

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        """Hear the windows, know the voices, cluster them, lay them onto the timeline."""
        on_progress(0.0)
        found = Diarization(turns=(), exclusive=())
        if restricted(request.speech, Span(0, audio.duration)):
            bounds = request.hints.bounds(self._options.max_speakers)
            found = self._ready().diarized(audio, bounds, on_progress)
        on_progress(1.0)
        return found

    def embed(
        self, audio: DecodedAudio, spans: tuple[Span, ...], on_progress: ProgressSink
    ) -> tuple[tuple[float, ...] | None, ...]:
        """Hear each span by itself, centred over a window around it; of long ones the middle."""
        on_progress(0.0)
        voices = self._ready().embedded(audio, spans, on_progress) if spans else ()
        on_progress(1.0)
        return voices

    def _ready(self) -> "Pipeline":
        if self._pipeline is None:
            from adapters.diarization.executor.pipeline import Pipeline

            options = self._options
            folder = find_exported(options.model, options.models_dir)
            if folder is None:
                name = Path(options.model).name
                raise EngineUnavailable(
                    f"the pipeline '{name}' is not here as ONNX: run `colloquy models convert {name}` where the "
                    "pyannote extra is installed, and copy its directory into the models folder"
                )
            with loading(options.model):
                self._pipeline = Pipeline(folder, read_exported(folder), fast=options.fast, threads=options.threads)
        return self._pipeline
