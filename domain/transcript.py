"""The transcript: words in time, grouped into segments; what was said, and by whom."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.media import MediaFacts
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.stage import Notice, Stage


class Timing(StrEnum):
    """Where a word's times come from."""

    ALIGNED = "aligned"
    INTERPOLATED = "interpolated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word as spoken; `text` carries its punctuation and no surrounding space.

    `confidence` is 0 to 1, or None when the engine gives none. `speaker` is None until attribution, and
    afterwards when no turn is near enough. `overlap` says that another speaker talks at the same time.
    `glued` means that no space goes before it (Chinese, Japanese, Thai and their like).
    """

    span: Span
    text: str
    confidence: float | None = None
    speaker: str | None = None
    overlap: bool = False
    glued: bool = False
    timing: Timing = Timing.ALIGNED


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What the recogniser thought of a segment; natural logarithms, probabilities 0 to 1."""

    average_log_probability: float | None = None
    no_speech_probability: float | None = None
    compression_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech by one speaker; every word lies inside `span`, in order.

    `channel` counts from 0 and is None for mixed audio. `words` may be empty when an engine has no word times.
    """

    span: Span
    text: str
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    language: str | None = None
    channel: int | None = None
    quality: Quality | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What a transcription engine heard in one window; times count from the start of the recording."""

    segments: tuple[Segment, ...]
    language: str
    language_probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One immutable revision of a task's result; every export is a pure function of it.

    `turns` may overlap; `processing_ms` is wall time from the first claim's start to completion.
    """

    task_id: str
    revision: int
    language: str
    model: str
    media: MediaFacts
    segments: tuple[Segment, ...]
    turns: tuple[SpeakerTurn, ...] = ()
    stages: tuple[Stage, ...] = ()
    warnings: tuple[Notice, ...] = ()
    processing_ms: int = 0

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in order."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def full_text(self) -> str:
        """The whole text on one line."""
        return " ".join(segment.text for segment in self.segments if segment.text)

    def renamed(self, labels: dict[str, str]) -> "Transcript":
        """Return the transcript with speakers relabelled; labels that are not named stay."""

        def new(old: str | None) -> str | None:
            return None if old is None else labels.get(old, old)

        return replace(
            self,
            segments=tuple(
                replace(
                    segment,
                    speaker=new(segment.speaker),
                    words=tuple(replace(word, speaker=new(word.speaker)) for word in segment.words),
                )
                for segment in self.segments
            ),
            turns=tuple(SpeakerTurn(turn.span, labels.get(turn.speaker, turn.speaker)) for turn in self.turns),
        )


def join_words(words: Iterable[Word]) -> str:
    """Write words as text, with a space before each one that is not glued to the last."""
    text = ""
    for word in words:
        text += word.text if word.glued or not text else f" {word.text}"
    return text
