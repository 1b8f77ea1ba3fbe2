"""Diarization by sherpa-onnx: pyannote's segmentation and a speaker embedding as ONNX, with no torch and no token.

It must not import its vendor before the first call, hold more than one block of the recording, nor ask the network for
anything it was not allowed to download.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.catalogue import CATALOGUE
from adapters.catalogue.shelf import find
from adapters.diarization.blocks import stretches
from adapters.hub import Hub, fetch, scaled
from adapters.loading import loading
from adapters.pcm import samples
from application.ports.diarization import DiarizationEngine, DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from domain.errors import ColloquyError, EngineFailed, EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span, restricted
from domain.speaker import Diarization

if TYPE_CHECKING:
    from adapters.diarization.sherpa_networks import Networks

DEFAULT = "sherpa-wespeaker"
FILES = ("segmentation.onnx", "embedding.onnx")
_BLOCK = 600_000
"""ms of recording that are diarized at once: some 200 MB, and every pair of its voices is compared."""
_LEAST_BLOCK = 150_000
"""ms; in less than that, hardly anybody is met twice."""
_LONGEST_SPAN = 30_000
"""ms of a span that are listened to: more changes nothing about the voice, and costs."""
_OUT_OF_MEMORY = ("out of memory", "bad alloc", "bad_alloc", "failed to allocate", "cannot allocate")


class SherpaOnnxDiarizer(DiarizationEngine):
    """Tells speakers apart with two networks from one directory: `segmentation.onnx` and `embedding.onnx`.

    `model` is a name of the catalogue, a directory in `models_dir`, or the path of a directory. Blocks of a long
    recording are diarized on their own, and their speakers linked by their voices. `threshold` is the cosine distance
    beyond which two voices are two people's; what is right depends on the embedding network.
    """

    def __init__(
        self, *, models_dir: Path, model: str = DEFAULT, threads: int = 1, max_speakers: int = 20,
        threshold: float = 0.5, block: int = _BLOCK, allow_download: bool = False, hub: Hub | None = None,
    ) -> None:  # fmt: skip
        self._models_dir = models_dir
        self._model = model
        self._threads = threads
        self._max_speakers = max_speakers
        self._threshold = threshold
        self._block = block
        self._allow_download = allow_download
        self._hub = hub or Hub()
        self._networks: Networks | None = None

    def capabilities(self) -> DiarizerCapabilities:
        """All hints are honoured, and its voices can be compared."""
        here = find_networks(self._model, self._models_dir) or (self._allow_download and self._model in NAMES)
        absent = "" if here else "the weights of sherpa-onnx are not on this machine"
        return DiarizerCapabilities(
            engine="sherpa_onnx",
            model=Path(self._model).name,
            max_speakers=self._max_speakers,
            embeds=True,
            absent=absent if find_spec("sherpa_onnx") else "sherpa-onnx is not installed",
        )

    def reduced(self) -> "tuple[SherpaOnnxDiarizer, str] | None":
        """Take blocks of a quarter of the size: the voices that are compared grow with it, the distances squared."""
        if self._block <= _LEAST_BLOCK:
            return None
        size, less = max(_LEAST_BLOCK, self._block // 4), copy(self)
        vars(less).update(_block=size, _networks=None)
        return less, f"blocks of {size // 1000} s instead of {self._block // 1000} s"

    def load(self) -> None:
        """Load the networks ahead of the first call; downloads nothing."""
        if weights := find_networks(self._model, self._models_dir):
            self._load(weights)

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        """Find the turns of each block that holds speech, and link the speakers."""
        report = _Rising(on_progress)
        report(0.0)
        speech = restricted(request.speech, Span(0, audio.duration))
        blocks = [block for block in stretches(speech, audio.duration, self._block) if restricted(speech, block)]
        if not blocks:
            report(1.0)
            return Diarization(turns=(), exclusive=())
        networks = self._ready(report)
        from adapters.diarization.sherpa_blocks import diarized

        bounds, already = request.hints.bounds(self._max_speakers), report.highest
        with _translated(report, EngineFailed("sherpa-onnx failed while telling speakers apart")):
            found = diarized(audio, blocks, networks, bounds, lambda done: report(already + (1 - already) * done))
        report(1.0)
        return found

    def embed(
        self, audio: DecodedAudio, spans: tuple[Span, ...], on_progress: ProgressSink
    ) -> tuple[tuple[float, ...] | None, ...]:
        """Listen to each span alone; less than 0.3 s is too little."""
        report = _Rising(on_progress)
        report(0.0)
        if not spans:
            report(1.0)
            return ()
        networks, already = self._ready(report), report.highest
        voices: list[tuple[float, ...] | None] = []
        with _translated(report, EngineFailed("sherpa-onnx failed while listening to a voice")):
            for number, span in enumerate(spans, 1):
                heard = span.clamp(Span(0, min(audio.duration, span.start + _LONGEST_SPAN)))
                voice = networks.voice(samples(audio, heard))
                voices.append(None if voice is None else tuple(voice.tolist()))
                report(already + (1 - already) * number / len(spans))
        return tuple(voices)

    def _ready(self, report: "_Rising") -> "Networks":
        if self._networks is not None:
            return self._networks
        weights = find_networks(self._model, self._models_dir)
        if weights is None:
            if not self._allow_download or self._model not in NAMES:
                raise EngineUnavailable(
                    f"the weights of '{Path(self._model).name}' are not on this machine: put {' and '.join(FILES)} "
                    "into a directory of that name in the models folder, or allow downloads"
                )
            weights = fetch(CATALOGUE[self._model], self._models_dir, self._hub, scaled(report))
        return self._load(weights)

    def _load(self, weights: Path) -> "Networks":
        from adapters.diarization.sherpa_networks import Networks

        name = Path(self._model).name
        with _translated(None, EngineUnavailable(f"the weights of '{name}' cannot be loaded: fetch them again")):
            try:
                with loading(name):
                    self._networks = Networks(weights, threads=self._threads, threshold=self._threshold)
            except ImportError as exc:
                raise EngineUnavailable("sherpa-onnx is not installed: pip install sherpa-onnx") from exc
        return self._networks


NAMES = tuple(weights.name for weights in CATALOGUE.values() if weights.files[0].path == FILES[0])
"""Models that can be had by name."""


def find_networks(model: str, models_dir: Path) -> Path | None:
    """Return the directory of a model's weights, or None when they are not whole on this machine."""
    if Path(model).name != model:
        folder = Path(model).expanduser()
    elif model in NAMES:
        return find(CATALOGUE[model], models_dir, whole=_is_whole)
    else:
        folder = models_dir / model
    return folder if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FILES)


class _Rising:
    """A progress sink that never falls, whoever reports to it; it remembers what the caller's raised."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self.highest = 0.0
        self.raised: BaseException | None = None

    def __call__(self, fraction: float) -> None:
        self.highest = min(1.0, max(self.highest, fraction))
        try:
            self._sink(self.highest)
        except BaseException as exc:
            self.raised = exc
            raise


@contextmanager
def _translated(report: _Rising | None, otherwise: ColloquyError) -> Iterator[None]:
    try:
        yield
    except ColloquyError:
        raise
    except Exception as exc:
        if report is not None and report.raised is exc:
            raise
        if isinstance(exc, MemoryError) or any(text in str(exc).lower() for text in _OUT_OF_MEMORY):
            raise EngineFailed("sherpa-onnx ran out of memory", code="out_of_memory") from exc
        raise otherwise from exc
