"""Recognition by Whisper on CTranslate2: speech without its silences, in batches, decoded until it can be believed.

It must not import its vendor before the first call, nor ask the network for anything it was not allowed to download.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from adapters.asr.collecting import collected, translated
from adapters.asr.compute import free_memory, pick_batch, pick_device, pick_lanes
from adapters.asr.hub import fetch_weights
from adapters.asr.less_memory import Footprint, reduced
from adapters.asr.listening import Listener
from adapters.asr.packs import packs
from adapters.asr.pieces import pause_in, pieces
from adapters.asr.weights import ENGLISH, LANGUAGES, MODELS, find_weights, languages_of, name_of
from adapters.loading import loading
from adapters.progress import Rising
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import EngineFailed, EngineUnavailable, InvalidOptions, ModelNotFound
from domain.media import DecodedAudio
from domain.options import Goal
from domain.span import Span, restricted
from domain.transcript import Recognition

if TYPE_CHECKING:
    from adapters.asr.whisper import Whisper

_LONGEST = 30_000
"""Milliseconds; what Whisper hears at once, and what it is best at: chunks of 10 s cost it 3.5 % of the words."""
_NEAR = 1_000
"""Milliseconds; where several languages may be spoken, speech further apart is not taken to be in the same one."""
_BREATH = 300
"""Milliseconds; a shorter silence stays: cutting it out saves nothing, and sentences run together without it."""
_WORTH_IT = 1_500
"""Milliseconds that a stretch of speech is cut for, at a pause in it, to fill a chunk: every chunk costs as much as a
full one, but words on their own are heard less well."""
_TRANSCRIBE_ONLY = frozenset({"turbo"})
"""Knows every language, but was never taught to translate: it would answer in the one that is spoken."""


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
        self._asked_device = device
        self._compute_type = compute_type
        self._threads = threads
        self._batch_size = batch_size
        self._beam_size = beam_size
        self._allow_download = allow_download
        self._hub_cache = hub_cache
        self._hub_url = hub_url
        self._cpu_fallback = cpu_fallback
        self._step = 0
        self._loaded: _Loaded | None = None

    def reduced(self) -> "tuple[FasterWhisperEngine, str] | None":
        """Do with less memory: half the batch, then eight bits, then the CPU where `cpu_fallback` allows it."""
        before = Footprint(
            device=self._device(), compute_type=self._compute_type, batch_size=self._batch(), step=self._step
        )
        if (down := reduced(before, cpu_fallback=self._cpu_fallback)) is None:
            return None
        (less, sentence), engine = down, copy(self)
        vars(engine).update(_asked_device=less.device, _compute_type=less.compute_type, _batch_size=less.batch_size)
        vars(engine).update(_step=less.step, _loaded=None)
        return engine, sentence

    def capabilities(self) -> EngineCapabilities:
        """Name the models that can run here; an English-only default stands alone, so that one answer holds for all."""
        default = name_of(self._default)
        weights = self._weights(self._default)
        languages = LANGUAGES if weights is None else languages_of(weights)
        others = [name for name in MODELS if name != default and (self._allow_download or self._weights(name))]
        here = weights is not None or (self._allow_download and default in MODELS)
        return EngineCapabilities(
            engine="faster_whisper",
            models=(default, *others) if languages is LANGUAGES else (default,),
            device=self._device(),
            languages=languages,
            detects_language=languages is not ENGLISH,
            translation=languages is not ENGLISH,
            transcribe_only=_TRANSCRIBE_ONLY,
            initial_prompt=True,
            hotwords=True,
            absent="" if here else "its weights are not on this machine",
        )

    def load(self) -> None:
        """Load the default model ahead of the first call; downloads nothing."""
        if weights := self._weights(self._default):
            self._load(name_of(self._default), weights)

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        """Decode the window's speech in chunks of up to half a minute, with the silences cut out.

        A language that was not given is told by the window's first speech; where several are allowed, by each chunk's.
        """
        name = self._known(request.model)
        report = Rising(on_progress)
        regions = restricted(request.speech, window.clamp(Span(0, audio.duration)))
        heard = packs(
            pieces(audio, regions, longest=_LONGEST, pause=_BREATH),
            longest=_LONGEST, reach=_NEAR if len(request.languages) > 1 else None,
            cut=lambda part, room: pause_in(audio, part, least=_WORTH_IT, most=room),
        )  # fmt: skip
        if not heard:
            report(1.0)
            asked = (request.language, *request.languages)
            return Recognition(segments=(), language=next((code for code in asked if code != "auto"), "en"))
        weights = self._weights(name) or self._fetch(name, report)
        _refuse_the_impossible(name, languages_of(weights), request)
        loaded = self._load(name, weights)
        with ThreadPoolExecutor(loaded.lanes, thread_name_prefix="whisper") as lanes:
            with translated(EngineFailed("faster-whisper failed while preparing the speech")):
                listener = Listener(
                    loaded.model, audio, request,
                    beam_size=self._beam_size, batch=loaded.batch, lanes=lanes, width=loaded.lanes,
                )  # fmt: skip
            return collected(listener, heard, report)

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

    def _load(self, name: str, weights: Path) -> "_Loaded":
        if self._loaded is None or self._loaded.name != name:
            self._loaded = None  # two models may not fit side by side
            failure = EngineUnavailable(f"the weights of '{name}' cannot be loaded on {self._device()}")
            with translated(failure), loading(name):
                self._loaded = self._load_anew(name, weights)
        return self._loaded

    def _load_anew(self, name: str, weights: Path) -> "_Loaded":
        from adapters.asr.whisper import Whisper

        device, why_device = pick_device(self._asked_device)
        size = (weights / "model.bin").stat().st_size
        batch, why_batch = pick_batch(self._batch_size, device, size, free_memory(device))
        threads = self._threads or len(os.sched_getaffinity(0))
        lanes = pick_lanes(device, threads, batch)
        model = Whisper(weights, device=device, compute_type=self._compute_type, threads=threads, lanes=lanes)
        compute_type, why_compute_type = model.precision
        structlog.get_logger().info(
            "model loaded", model=name, device=device, device_because=why_device, batch_size=batch,
            batch_size_because=why_batch, compute_type=compute_type, compute_type_because=why_compute_type,
            threads=threads, lanes=lanes,
        )  # fmt: skip
        return _Loaded(name, model, batch, lanes)

    def _batch(self) -> int:
        if self._loaded is not None:
            return self._loaded.batch
        weights = self._weights(self._default)
        size = (weights / "model.bin").stat().st_size if weights else None
        return pick_batch(self._batch_size, self._device(), size, None)[0]

    def _device(self) -> str:
        return pick_device(self._asked_device)[0]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model in memory, and how many chunks it decodes at once, on how many lanes."""

    name: str
    model: "Whisper"
    batch: int
    lanes: int


def _refuse_the_impossible(name: str, languages: frozenset[str], request: RecognitionRequest) -> None:
    """Hold a request against the model that will run: capabilities speak for the default alone."""
    for language in (request.language, *request.languages):
        if language not in {"auto", *languages}:
            raise InvalidOptions(f"model '{name}' cannot transcribe '{language}'", code="unsupported_language")
    if request.goal is Goal.TRANSLATE and (languages is ENGLISH or name in _TRANSCRIBE_ONLY):
        raise InvalidOptions(f"model '{name}' cannot translate")
