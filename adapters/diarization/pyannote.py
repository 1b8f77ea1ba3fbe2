"""Diarization by pyannote.audio 4 as it is published, a block of the recording at a time.

It must not import its vendor before the first call, nor hold more of a long recording than one block.
"""

import functools
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.diarization.blocks import shared_windows, stretches
from adapters.diarization.pyannote_options import PyannoteOptions
from adapters.diarization.pyannote_weights import find_pipeline, name_of, published
from adapters.hub import Hub, fetch, scaled
from adapters.loading import loading
from adapters.pcm import samples
from adapters.progress import Rising
from application.ports.diarization import DiarizationEngine, DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from domain.errors import ColloquyError, EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span, restricted
from domain.speaker import Diarization

if TYPE_CHECKING:
    from adapters.diarization.pyannote_pipeline import Heard, LoadedPipeline

_LEAST_VOICE = 400
"""Milliseconds; five frames of the embedding network's trunk, under which their deviation says nothing."""


class PyannoteDiarizer(DiarizationEngine):
    """Finds speech, overlap and speakers with pyannote's networks and clustering, unchanged.

    Weights are looked for on this machine first; only `allow_download` has those of the catalogue fetched from `hub`,
    whose token no other process gets. A recording that is longer than a block is diarized block by block, and the
    blocks' speakers are linked by their centroids; up to a block, the answer is pyannote's own. The regions of speech
    in a request say where a long recording is best cut and which blocks are silent: pyannote hears speech by itself.
    """

    def __init__(self, options: PyannoteOptions, hub: Hub | None = None) -> None:
        self._options = options
        self._hub = hub or Hub()
        self._loaded: LoadedPipeline | None = None

    def __getstate__(self) -> dict[str, object]:
        """Travel unloaded."""
        return {**self.__dict__, "_loaded": None}

    def capabilities(self) -> DiarizerCapabilities:
        """Say what the settings make of it; whether a GPU can really be used, loading shows."""
        options = self._options
        return DiarizerCapabilities(
            engine="pyannote",
            model=name_of(options.model),
            device=options.resolved_device,
            max_speakers=options.max_speakers,
            embeds=True,
            absent=self._absent(),
        )

    def reduced(self) -> "tuple[PyannoteDiarizer, str] | None":
        """Take the next step down of its options."""
        less = self._options.reduced()
        return None if less is None else (PyannoteDiarizer(less[0], self._hub), less[1])

    def load(self) -> None:
        """Load the networks ahead of the first call; downloads nothing."""
        if folder := find_pipeline(self._options.model, self._options.models_dir):
            self._load(folder)

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        """Diarize the blocks one after another, then link their speakers."""
        from adapters.diarization.pyannote_answer import joined

        report = Rising(on_progress)
        report(0.0)
        speech = restricted(request.speech, Span(0, audio.duration))
        least, most = request.hints.bounds(self._options.max_speakers)
        blocks = stretches(speech, audio.duration, self._options.block)
        found: list[tuple[Span, Heard]] = []
        for block in blocks:
            if restricted(speech, block):
                # Who speaks somewhere need not speak in every block; and where a block splits a fragment off a voice, a
                # limit to the number of voices would have it take two others for one.
                bounds = (least, most) if len(blocks) == 1 else (1, max(most, self._options.max_speakers))
                share = functools.partial(_share, report, block, audio.duration)
                found.append((block, self._ready(report).hear(samples(audio, block), *bounds, share)))
        answer = joined(found, least, most)
        report(1.0)
        return answer

    def embed(
        self, audio: DecodedAudio, spans: tuple[Span, ...], on_progress: ProgressSink
    ) -> tuple[tuple[float, ...] | None, ...]:
        """Hear each span within a window of the networks' length, as the centroids were; long ones by their middle."""
        report = Rising(on_progress)
        report(0.0)
        voices: list[tuple[float, ...] | None] = [None] * len(spans)
        inside = [span.clamp(Span(0, audio.duration)) for span in spans]
        wanted = [number for number, span in enumerate(inside) if span.duration >= _LEAST_VOICE]
        if wanted:
            pipeline = self._ready(report)
            done = 0
            for window, members in shared_windows([inside[n] for n in wanted], audio.duration, pipeline.window):
                numbers = [wanted[member] for member in members]
                sound = pipeline.padded(samples(audio, window))
                parts = [inside[number].clamp(window).shift(-window.start) for number in numbers]
                for number, voice in zip(numbers, pipeline.voices(sound, parts), strict=True):
                    voices[number] = tuple(voice.tolist()) if voice.any() and not isnan(voice.sum()) else None
                done += len(numbers)
                report(done / len(wanted))
        report(1.0)
        return tuple(voices)

    def _ready(self, report: Rising) -> "LoadedPipeline":
        options = self._options
        folder = find_pipeline(options.model, options.models_dir)
        entry = published(options.model)
        if folder is None and options.allow_download and entry:
            folder = fetch(entry, options.models_dir, self._hub, scaled(report))
        if folder is None:
            raise EngineUnavailable(
                f"the pipeline '{name_of(options.model)}' is not on this machine: put its directory, config.yaml "
                "included, into the models folder, or allow downloads and set MODELS_HUB_TOKEN"
            )
        return self._load(folder)

    def _load(self, folder: Path) -> "LoadedPipeline":
        if self._loaded is None:
            try:
                from adapters.diarization.pyannote_pipeline import LoadedPipeline
            except ImportError as exc:
                raise EngineUnavailable(
                    "pyannote.audio cannot be imported: install the extra 'pyannote' of this project"
                ) from exc
            options = self._options
            try:
                with loading(options.model):
                    self._loaded = LoadedPipeline(
                        folder,
                        device=options.device,
                        segmentation_batch=options.windows,
                        embedding_batch=options.voices,
                    )
            except ColloquyError:
                raise
            except Exception as exc:  # unpickling a file that is not what it should be can raise anything
                if isinstance(exc, MemoryError) or "out of memory" in str(exc).lower():
                    raise
                raise EngineUnavailable(f"the pipeline '{folder.name}' is damaged or of another version") from exc
        return self._loaded

    def _absent(self) -> str:
        model, entry = self._options.model, published(self._options.model)
        if not all(map(find_spec, ("torch", "pyannote", "pyannote.audio"))):
            return "pyannote.audio is not installed"
        if find_pipeline(model, self._options.models_dir) or (
            entry and self._options.allow_download and (self._hub.token or not entry.gated)
        ):
            return ""
        return "the weights of pyannote are not on this machine"


def _share(report: ProgressSink, block: Span, duration: int, done: float) -> None:
    report((block.start + done * block.duration) / duration)
