"""Recognition by sherpa-onnx: Parakeet, Zipformer, Moonshine and other offline models as ONNX, with no torch.

It must not import its vendor before the first call, nor ask the network for anything it was not allowed to download.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.asr.pieces import pieces
from adapters.asr.sherpa_models import NAMES, Kind, files_of, find_model, languages_of
from adapters.asr.tokens import Tokens, words_of
from adapters.catalogue import CATALOGUE
from adapters.hub import Hub, fetch, scaled
from adapters.loading import loading
from adapters.pcm import samples
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import ColloquyError, EngineFailed, EngineUnavailable, InvalidOptions, ModelNotFound
from domain.media import DecodedAudio
from domain.span import Span, covered, restricted
from domain.transcript import Quality, Recognition, Segment, Word, join_words

if TYPE_CHECKING:
    from adapters.asr.sherpa_recogniser import Recogniser

DEFAULT = "parakeet-v3"
UNKNOWN = "und"
"""ISO 639's code for a language that nobody has determined: most of these models write several and name none."""
_LONGEST = 30_000
"""Milliseconds; transducers attend to all they hear at once, which costs memory with the square of it."""
_LONGEST_MOONSHINE = 8_000
"""Moonshine is made for short utterances, and its second version has been seen to fail on more than nine seconds."""
_PAUSE = 1_000
"""Milliseconds; a longer pause parts two segments."""
_OUT_OF_MEMORY = ("out of memory", "bad alloc", "bad_alloc", "failed to allocate", "cannot allocate")


class SherpaOnnxEngine(TranscriptionEngine):
    """Recognises with one model at a time, which stays in memory until a call names another.

    `model` is the default: one of `sherpa_models.NAMES`, a directory in `models_dir`, or the path of a directory. Of
    which kind it is its files tell. Words are joined from tokens, with their times and confidences where the model
    gives them; Moonshine gives none.
    """

    def __init__(
        self, *, models_dir: Path, model: str = DEFAULT, threads: int = 1, allow_download: bool = False,
        hub: Hub | None = None,
    ) -> None:  # fmt: skip
        self._models_dir = models_dir
        self._default = model
        self._threads = threads
        self._allow_download = allow_download
        self._hub = hub or Hub()
        self._loaded: tuple[str, Recogniser, int] | None = None

    def capabilities(self) -> EngineCapabilities:
        """Name the default, and those others that can run here and know the same languages."""
        default = Path(self._default).name
        languages = self._languages(default)
        others = [
            name
            for name in NAMES
            if name != default and (self._allow_download or self._folder(name)) and self._languages(name) == languages
        ]
        here = self._folder(default) or (self._allow_download and default in NAMES)
        absent = "" if here else "its weights are not on this machine"
        if find_spec("sherpa_onnx") is None:
            absent = "sherpa-onnx is not installed"
        return EngineCapabilities(engine="sherpa_onnx", models=(default, *others), languages=languages, absent=absent)

    def load(self) -> None:
        """Load the default model ahead of the first call; downloads nothing."""
        if folder := self._folder(Path(self._default).name):
            self._load(Path(self._default).name, folder)

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        """Decode the window's speech in pieces; each that holds words becomes a segment."""
        name = self._known(request.model)
        language = self._spoken(name, request)
        regions = restricted(request.speech, window.clamp(Span(0, audio.duration)))
        if not regions:
            on_progress(1.0)
            return Recognition(segments=(), language=language)
        on_progress(0.0)
        recogniser, longest = self._ready(name, on_progress)
        found = pieces(audio, regions, longest=longest, pause=_PAUSE)
        total, done, told = max(1, covered(found)), 0, dict[str, int]()
        segments: list[Segment] = []
        for piece in found:
            with _translated(EngineFailed("sherpa-onnx failed while decoding")):
                tokens, heard = recogniser.hear(samples(audio, piece))
            code = heard if heard and language == UNKNOWN else language
            if words := words_of(tokens, piece):
                segments.append(_segment(words, tokens, None if code == UNKNOWN else code))
                told[code] = told.get(code, 0) + piece.duration
            done += piece.duration
            on_progress(max(0.1, done / total))
        if done != total:
            on_progress(1.0)
        return Recognition(segments=tuple(segments), language=max(told, key=lambda code: told[code], default=language))

    def _heard(self, recogniser: "Recogniser", audio: DecodedAudio, piece: Span) -> tuple[tuple[Word, ...], str]:
        with _translated(EngineFailed("sherpa-onnx failed while decoding")):
            tokens, language = recogniser.hear(samples(audio, piece))
        return words_of(tokens, piece), language

    def _known(self, model: str) -> str:
        known = self.capabilities().models
        if model and model not in known:
            raise ModelNotFound(f"sherpa-onnx has no model '{model}'; there is: {', '.join(known)}")
        return model or known[0]

    def _languages(self, name: str) -> frozenset[str] | None:
        """Of a model with several, `UNKNOWN` is one too: which of them was spoken it does not say."""
        languages = languages_of(name, self._folder(name))
        return languages | {UNKNOWN} if languages and len(languages) > 1 else languages

    def _spoken(self, name: str, request: RecognitionRequest) -> str:
        """Take what was asked for, or the only language there is."""
        languages = self._languages(name)
        allowed = request.languages if request.language == "auto" else (request.language,)
        asked = allowed[0].partition("-")[0] if len(allowed) == 1 else None
        if asked is not None and languages is not None and asked not in languages:
            raise InvalidOptions(f"model '{name}' cannot transcribe '{asked}'", code="unsupported_language")
        return asked or (next(iter(languages)) if languages and len(languages) == 1 else UNKNOWN)

    def _folder(self, name: str) -> Path | None:
        model = self._default if name == Path(self._default).name else name
        return find_model(model, self._models_dir)

    def _ready(self, name: str, on_progress: ProgressSink) -> tuple["Recogniser", int]:
        if self._loaded is not None and self._loaded[0] == name:
            return self._loaded[1:]
        folder = self._folder(name)
        if folder is None:
            if not self._allow_download or name not in NAMES:
                raise EngineUnavailable(
                    f"the weights of '{name}' are not on this machine: put its ONNX files and tokens.txt into a "
                    "directory of that name in the models folder, or allow downloads"
                )
            folder = fetch(CATALOGUE[name], self._models_dir, self._hub, scaled(on_progress))
        return self._load(name, folder)

    def _load(self, name: str, folder: Path) -> tuple["Recogniser", int]:
        from adapters.asr.sherpa_recogniser import Recogniser

        self._loaded = None  # two models may not fit side by side
        files = files_of(folder)
        with _translated(EngineUnavailable(f"the weights of '{name}' cannot be loaded: fetch them again")):
            if files is None:
                raise EngineUnavailable(f"the weights of '{name}' are not whole: fetch them again")
            try:
                with loading(name):
                    recogniser = Recogniser(files, threads=self._threads)
            except ImportError as exc:
                raise EngineUnavailable("sherpa-onnx is not installed: pip install sherpa-onnx") from exc
        short = files.kind in {Kind.MOONSHINE, Kind.MOONSHINE_V2}
        self._loaded = (name, recogniser, _LONGEST_MOONSHINE if short else _LONGEST)
        return self._loaded[1:]


def _segment(words: tuple[Word, ...], tokens: Tokens, language: str | None) -> Segment:
    average = sum(tokens.scores) / len(tokens.scores) if tokens.scores else None
    return Segment(
        span=Span(words[0].span.start, max(word.span.end for word in words)),
        text=join_words(words),
        words=words,
        language=language,
        quality=None if average is None else Quality(average_log_probability=round(average, 4)),
    )


@contextmanager
def _translated(otherwise: ColloquyError) -> Iterator[None]:
    try:
        yield
    except ColloquyError:
        raise
    except Exception as exc:
        if isinstance(exc, MemoryError) or any(text in str(exc).lower() for text in _OUT_OF_MEMORY):
            raise EngineFailed("sherpa-onnx ran out of memory", code="out_of_memory") from exc
        raise otherwise from exc
