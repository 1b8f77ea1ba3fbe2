"""The port to speech recognition."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.options import Goal
from domain.span import Span
from domain.transcript import Recognition


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCapabilities:
    """What an engine can do, answered without loading a model, so that an impossible request is refused at submit.

    `languages` is None when any is taken. `models` are the names a request may use; the first is the default.
    `transcribe_only` are those of them that cannot translate, where the engine can. `absent` is empty, or why the
    default model cannot run here: its weights are missing and cannot be had, or a package is.
    """

    engine: str
    models: tuple[str, ...]
    device: str = "cpu"
    languages: frozenset[str] | None = None
    detects_language: bool = False
    word_timestamps: bool = True
    translation: bool = False
    transcribe_only: frozenset[str] = frozenset()
    initial_prompt: bool = False
    hotwords: bool = False
    absent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionRequest:
    """What to recognise. `speech` are the regions of the whole recording that hold speech, sorted and disjoint.

    `language` is a code, or "auto"; where `languages` is not empty, each chunk's language is one of them. `model` is
    one of the engine's names, or empty for its default. `temperature` of None leaves it to the engine.
    """

    speech: tuple[Span, ...]
    language: str = "auto"
    languages: tuple[str, ...] = ()
    goal: Goal = Goal.TRANSCRIBE
    temperature: float | None = None
    model: str = ""
    initial_prompt: str = ""
    hotwords: tuple[str, ...] = ()


class TranscriptionEngine(Protocol):
    """Turns the speech in one window of a recording into words with times.

    Blocking; one call at a time per instance. Calls do not depend on earlier ones: the same window and request give
    the same words, but for engines that declare themselves not deterministic in their tests.
    """

    @abstractmethod
    def capabilities(self) -> EngineCapabilities:
        """Say what the engine can do; cheap, loads nothing."""

    @abstractmethod
    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        """Recognise the speech inside `window`.

        Times count from the start of the recording in ms. Segments and words are sorted by start, lie inside the
        window, and no word ends before it starts; text without words is allowed where `word_timestamps` is False.
        A window whose speech regions are empty gives no segments. `language` in the answer is a plain code, never
        "auto"; it is the engine's default where there was nothing to hear.

        `on_progress` is called with the done fraction of this window, never falling; what it raises stops the work and
        is passed on unchanged.

        Raises:
            ModelNotFound: the engine has no model of that name.
            InvalidOptions: `unsupported_language`, the model does not know that language.
            EngineUnavailable: the model's weights are not on this machine and cannot be had.
            EngineFailed: the engine failed; the code says how.
        """
