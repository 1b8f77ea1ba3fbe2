"""Recognition by Whisper on CTranslate2: the chunks of a window in batches, with words aligned by attention.

It must not import its vendor before the first call, nor ask the network for anything it was not allowed to download.
"""

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.asr.hub import fetch_weights
from adapters.asr.less_memory import Footprint, reduced
from adapters.asr.pieces import pieces
from adapters.asr.weights import ENGLISH, LANGUAGES, MODELS, find_weights, languages_of, name_of
from adapters.pcm import samples
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import ColloquyError, EngineFailed, EngineUnavailable, InvalidOptions, ModelNotFound
from domain.media import DecodedAudio
from domain.span import Span, restricted
from domain.transcript import Recognition, Segment

if TYPE_CHECKING:
    from adapters.asr.whisper import Whisper

_LONGEST = 30_000
"""Milliseconds; what Whisper hears at once, and what it is best at: chunks of 10 s cost it 3.5 % of the words."""
_GPU_BATCH = 8
"""Chunks at once on a GPU: twice that gains no speed and costs memory (faster-whisper's README, OpenTranscribe)."""
_PAUSE = 3_000
"""Milliseconds; a chunk with a longer silence inside invites words that nobody said, and words stretched over it."""
_OUT_OF_MEMORY = ("out of memory", "alloc_failed", "bad alloc", "bad_alloc", "failed to allocate", "cannot allocate")


class FasterWhisperEngine(TranscriptionEngine):
    """Recognises with one model at a time, which stays in memory until a call names another.

    `model` is the default: one of `weights.MODELS`, a directory in `models_dir`, or the path of a directory. `device`
    is "auto", "cpu", "cuda" or "cuda:N"; `compute_type` is CTranslate2's, or "default" for the best there is;
    `threads` of 0 are all cores. Weights are looked for on this machine first, as `find_weights` does; only
    `allow_download` has those of a name fetched into `models_dir`, from `hub_url`.
    """

    def __init__(
        self, *, models_dir: Path, model: str = "small", device: str = "auto", compute_type: str = "default",
        threads: int = 0, batch_size: int = 0, beam_size: int = 5, allow_download: bool = False,
        hub_cache: Path | None = None, hub_url: str = "https://huggingface.co", cpu_fallback: bool = False,
    ) -> None:  # fmt: skip
        self._models_dir = models_dir
        self._default = model
        self._device = device
        self._compute_type = compute_type
        self._threads = threads
        self._batch_size = batch_size
        self._beam_size = beam_size
        self._allow_download = allow_download
        self._hub_cache = hub_cache
        self._hub_url = hub_url
        self._cpu_fallback = cpu_fallback
        self._step = 0
        self._loaded: tuple[str, Whisper] | None = None

    def reduced(self) -> "tuple[FasterWhisperEngine, str] | None":
        """Do with less memory: half the batch, then eight bits, then the CPU where `cpu_fallback` allows it."""
        before = Footprint(
            device=self._resolved_device(), compute_type=self._compute_type, batch_size=self._batch(), step=self._step
        )
        if (down := reduced(before, cpu_fallback=self._cpu_fallback)) is None:
            return None
        (less, sentence), engine = down, copy(self)
        vars(engine).update(_device=less.device, _compute_type=less.compute_type, _batch_size=less.batch_size)
        vars(engine).update(_step=less.step, _loaded=None)
        return engine, sentence

    def capabilities(self) -> EngineCapabilities:
        """Name the models that can run here; an English-only default stands alone, so that one answer holds for all."""
        default = name_of(self._default)
        weights = self._weights(self._default)
        languages = LANGUAGES if weights is None else languages_of(weights)
        others = [name for name in MODELS if name != default and (self._allow_download or self._weights(name))]
        return EngineCapabilities(
            engine="faster_whisper",
            models=(default, *others) if languages is LANGUAGES else (default,),
            device=self._resolved_device(),
            languages=languages,
            detects_language=languages is not ENGLISH,
            initial_prompt=True,
            hotwords=True,
        )

    def load(self) -> None:
        """Load the default model ahead of the first call; downloads nothing."""
        if weights := self._weights(self._default):
            self._load(name_of(self._default), weights)

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        """Decode the window's speech in chunks of up to half a minute.

        A language that was not given is detected from the first two minutes of the window's speech.
        """
        name = self._known(request.model)
        asked = None if request.language == "auto" else request.language
        report = _Rising(on_progress)
        regions = restricted(request.speech, window.clamp(Span(0, audio.duration)))
        chunks = pieces(audio, regions, longest=_LONGEST, pause=_PAUSE)
        if not chunks:
            report(1.0)
            return Recognition(segments=(), language=asked or "en")
        weights = self._weights(name) or self._fetch(name, report)
        if asked not in {None, *languages_of(weights)}:
            raise InvalidOptions(f"model '{name}' cannot transcribe '{asked}'", code="unsupported_language")
        model = self._load(name, weights)
        hull = chunks[0].hull(chunks[-1])
        with _translated(EngineFailed("faster-whisper failed while preparing the speech")):
            heard, language, probability = model.decode(
                samples(audio, hull), chunks, language=asked, batch_size=self._batch(), beam_size=self._beam_size,
                initial_prompt=request.initial_prompt, hotwords=request.hotwords,
            )  # fmt: skip
        segments: list[Segment] = []
        while found := _next(heard):
            chunk, segment = found
            segments += [segment] if segment else []
            report((chunk.end - hull.start) / hull.duration)
        return Recognition(segments=tuple(segments), language=language, language_probability=probability)

    def _batch(self) -> int:
        # On a CPU batches gain little, and a large model would be silent for minutes between two reports.
        return self._batch_size or (_GPU_BATCH if self._resolved_device().startswith("cuda") else 1)

    def _known(self, model: str) -> str:
        known = self.capabilities().models
        if model and model not in known:
            raise ModelNotFound(f"faster-whisper has no model '{model}'; there is: {', '.join(known)}")
        return model or known[0]

    def _weights(self, name: str) -> Path | None:
        model = self._default if name == name_of(self._default) else name
        return find_weights(model, self._models_dir, self._hub_cache)

    def _fetch(self, name: str, report: ProgressSink) -> Path:
        if not self._allow_download or name not in MODELS:
            raise EngineUnavailable(
                f"the weights of '{name}' are not on this machine: put its CTranslate2 files, tokenizer.json included, "
                "into a directory of that name in the models folder, or allow downloads"
            )
        return fetch_weights(name, self._models_dir, self._hub_url, report)

    def _load(self, name: str, weights: Path) -> "Whisper":
        if self._loaded is None or self._loaded[0] != name:
            self._loaded = None  # two models may not fit side by side
            device = self._resolved_device()
            with _translated(EngineUnavailable(f"the weights of '{name}' cannot be loaded on {device}")):
                from adapters.asr.whisper import Whisper

                model = Whisper(weights, device=device, compute_type=self._compute_type, threads=self._threads)
            self._loaded = (name, model)
        return self._loaded[1]

    def _resolved_device(self) -> str:
        if self._device != "auto":
            return self._device
        return "cuda" if _gpu_is_usable() else "cpu"


class _Rising:
    """A progress sink that never falls, whoever reports to it."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._highest = 0.0

    def __call__(self, fraction: float) -> None:
        self._highest = max(self._highest, fraction)
        self._sink(self._highest)


@functools.cache
def _gpu_is_usable() -> bool:
    """Whether there is a GPU with the CUDA 12 library that CTranslate2 opens at its first multiplication."""
    if not Path("/dev/nvidiactl").exists():
        return False
    try:
        ctypes.CDLL("libcublas.so.12")
    except OSError:
        return False
    return True


@contextmanager
def _translated(otherwise: ColloquyError) -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        if isinstance(exc, MemoryError) or any(text in str(exc).lower() for text in _OUT_OF_MEMORY):
            raise EngineFailed("faster-whisper ran out of memory", code="out_of_memory") from exc
        raise otherwise from exc


def _next(heard: Iterator[tuple[Span, Segment | None]]) -> tuple[Span, Segment | None] | None:
    with _translated(EngineFailed("faster-whisper failed while decoding")):
        return next(heard, None)
