"""The transcript: words in time, grouped into segments; what was said, and by whom."""

from collections.abc import Iterable, Iterator
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


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another speaker whom a word may belong to; `share` is 0 to 1, that speaker's part of the word's votes."""

    speaker: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word as spoken; `text` carries its punctuation and no surrounding space.

    `confidence` is 0 to 1, or None when the engine gives none. `speaker` is None until attribution, and
    afterwards when no turn is near enough. `overlap` says that another speaker talks at the same time.
    `glued` means that no space goes before it (Chinese, Japanese, Thai and their like). `alternatives` are the other
    speakers that turns speak for, the likeliest first; empty where there is no doubt.
    """

    span: Span
    text: str
    confidence: float | None = None
    speaker: str | None = None
    overlap: bool = False
    glued: bool = False
    timing: Timing = Timing.ALIGNED
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What the recogniser thought of a segment; natural logarithms, probabilities 0 to 1.

    `decode_attempts` counts how often it was decoded until its text was accepted, or the tries were used up.
    """

    average_log_probability: float | None = None
    no_speech_probability: float | None = None
    compression_ratio: float | None = None
    decode_attempts: int = 1


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


class Suspicion(StrEnum):
    """Why a recogniser's text is not to be trusted."""

    REPETITION = "repetition"
    LOW_PROBABILITY = "low_probability"
    PROMPT_ECHO = "prompt_echo"
    TOO_FAST = "too_fast"
    BOILERPLATE = "boilerplate"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A stretch whose text is doubtful, or was dropped; `text` is what the engine made of it."""

    span: Span
    reason: Suspicion
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What a transcription engine heard in one window; times count from the start of the recording.

    `degraded` says in a sentence each how the engine did with less than it was configured for: a smaller batch, a
    lower precision, the CPU.
    """

    segments: tuple[Segment, ...]
    language: str
    language_probability: float | None = None
    suspects: tuple[Suspect, ...] = ()
    degraded: tuple[str, ...] = ()

    @property
    def spans(self) -> Iterator[Span]:
        """Where words are: of each one, or of the whole segment where the engine has no word times."""
        for segment in self.segments:
            yield from (word.span for word in segment.words) if segment.words else (segment.span,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Words that a second look gave to another speaker; `margin` is by how much the voice is nearer to that one.

    `before` is None where the turns spoke for nobody; `margin` is a difference of cosine similarities, 0 to 2.
    """

    span: Span
    before: str | None
    after: str
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One immutable revision of a task's result; every export is a pure function of it.

    `turns` may overlap; `processing_ms` is wall time from the first claim's start to completion.
    `language_probability` is 0 to 1, or None where the engine does not tell. `suspects` are stretches whose text is
    doubtful, `uncovered_speech` is speech that no word covers, `moves` are what the second look at speakers changed.
    `names` are those of speakers who were known by their voices, by label.
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
    language_probability: float | None = None
    suspects: tuple[Suspect, ...] = ()
    uncovered_speech: tuple[Span, ...] = ()
    moves: tuple[Move, ...] = ()
    names: tuple[tuple[str, str], ...] = ()

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

        def relabelled(word: Word) -> Word:
            alternatives = tuple(Alternative(labels.get(o.speaker, o.speaker), o.share) for o in word.alternatives)
            return replace(word, speaker=new(word.speaker), alternatives=alternatives)

        return replace(
            self,
            segments=tuple(
                replace(segment, speaker=new(segment.speaker), words=tuple(map(relabelled, segment.words)))
                for segment in self.segments
            ),
            turns=tuple(SpeakerTurn(turn.span, labels.get(turn.speaker, turn.speaker)) for turn in self.turns),
            moves=tuple(
                replace(move, before=new(move.before), after=labels.get(move.after, move.after)) for move in self.moves
            ),
        )


def join_words(words: Iterable[Word]) -> str:
    """Write words as text, with a space before each one that is not glued to the last."""
    text = ""
    for word in words:
        text += word.text if word.glued or not text else f" {word.text}"
    return text
