"""A transcription engine whose words follow from time alone, with scripted costs and faults.

It must not listen to the recording: whoever tests the way of a task needs to know its words beforehand.
"""

from collections.abc import Iterator

from adapters.scripted.performance import Performance
from adapters.scripted.script import Script
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import ModelNotFound
from domain.media import DecodedAudio
from domain.span import Span, restricted
from domain.transcript import Recognition, Segment, Word, join_words

_MODEL = "scripted"
_SLOT = 500
_SPOKEN = 400
_SENTENCE = 8
"""Words to a sentence, so that attribution and cues find sentence ends."""


class ScriptedEngine(TranscriptionEngine):
    """Says one numbered word each half second of speech, and does what its script has for the call."""

    def __init__(self, script: Script | None = None, *, step: int = 0) -> None:
        self._script = script or Script()
        self._step = step
        self._performance = Performance(self._script)

    def reduced(self) -> "tuple[ScriptedEngine, str] | None":
        """Take the next of the steps down that the script has."""
        less = self._script.reduced(self._step + 1)
        return None if less is None else (ScriptedEngine(less[0], step=self._step + 1), less[1])

    def capabilities(self) -> EngineCapabilities:
        """Any language, and its detection: it is always English."""
        return EngineCapabilities(
            engine="scripted", models=(_MODEL,), device=self._script.device, detects_language=True
        )

    def load(self) -> None:
        """Pay for loading ahead of the first call."""
        self._performance.load()

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        """Number the half seconds; the number, and so the text, does not depend on where windows are cut."""
        if request.model not in {"", _MODEL}:
            raise ModelNotFound(f"the scripted engine has no model {request.model!r}")
        self._performance.call(window.start, window.end, on_progress)
        language = "en" if request.language == "auto" else request.language
        within = window.clamp(Span(0, audio.duration))
        segments = tuple(_segments(restricted(request.speech, within), language))
        on_progress(1.0)
        return Recognition(segments=segments, language=language, language_probability=1.0)


def _segments(regions: tuple[Span, ...], language: str) -> Iterator[Segment]:
    for region in regions:
        first = -(-region.start // _SLOT)
        words = tuple(
            Word(
                span=Span(number * _SLOT, min(number * _SLOT + _SPOKEN, region.end)), text=_text(number), confidence=1.0
            )
            for number in range(first, -(-region.end // _SLOT))
        )
        if words:
            span = Span(words[0].span.start, words[-1].span.end)
            yield Segment(span=span, text=join_words(words), words=words, language=language)


def _text(number: int) -> str:
    return f"word{number}." if number % _SENTENCE == _SENTENCE - 1 else f"word{number}"
