"""What a caller may ask of a transcription, checked for contradictions before a task exists."""

import re
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InvalidOptions
from domain.known_speakers import MAX_KNOWN_SPEAKERS, MAX_NAME, KnownSpeaker
from domain.media import ChannelMode
from domain.speaker import SpeakerHints


class Goal(StrEnum):
    """What recognition writes: the language that is spoken, or English."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


MAX_SPEAKERS = 50
"""More voices than that in one recording no diarizer here can tell apart; it also bounds memory."""
MAX_PROMPT = 2_000
"""Characters; Whisper keeps 224 tokens of a prompt, so more would be dropped unseen."""
MAX_HOTWORDS = 200
MAX_LANGUAGES = 20
"""An allowed set beyond that restricts nothing that a detector would get wrong."""
_NAME = re.compile(rf"(?!spk_\d+$)(?! )[^\x00-\x1f\x7f]{{1,{MAX_NAME}}}(?<! )")
_LANGUAGE = re.compile(r"auto|[a-z]{2,3}(-[A-Za-z]{2,4})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionOptions:
    """The effective options of one task; an empty `model` means the configured default.

    `languages`, where not empty, are those that may be spoken: `language` is then "auto", and each chunk is told apart
    among them. `temperature` replaces the engine's ladder of temperatures by this one. `only_first` are the ms
    of the recording that are worked on, where not all of it is. `known_speakers` are looked for
    by their voices, and count among the speakers.
    """

    language: str = "auto"
    languages: tuple[str, ...] = ()
    goal: Goal = Goal.TRANSCRIBE
    temperature: float | None = None
    model: str = ""
    diarization: bool = True
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    channels: ChannelMode = ChannelMode.AUTO
    initial_prompt: str = ""
    hotwords: tuple[str, ...] = ()
    format: str = "json"
    only_first: int | None = None
    known_speakers: tuple[KnownSpeaker, ...] = ()

    def __post_init__(self) -> None:
        """Refuse contradictions.

        Raises:
            InvalidOptions: with a sentence that names the field.
        """
        for problem in self._problems():
            raise InvalidOptions(problem)

    def _problems(self) -> list[str]:
        problems = []
        counts = {
            "num_speakers": self.num_speakers,
            "min_speakers": self.min_speakers,
            "max_speakers": self.max_speakers,
        }
        problems += [
            f"{name} must be between 1 and {MAX_SPEAKERS}"
            for name, count in counts.items()
            if count is not None and not 1 <= count <= MAX_SPEAKERS
        ]
        if self.num_speakers is not None and (self.min_speakers is not None or self.max_speakers is not None):
            problems.append("num_speakers is exact: it excludes min_speakers and max_speakers")
        if self.min_speakers is not None and self.max_speakers is not None and self.min_speakers > self.max_speakers:
            problems.append("min_speakers must not exceed max_speakers")
        if not self.diarization and any(count is not None for count in counts.values()):
            problems.append("speaker counts need diarization=true")
        problems += self._known_problems() + self._language_problems()
        if self.only_first is not None and self.only_first < 1:
            problems.append("only_first must be a millisecond or more")
        if self.temperature is not None and not 0 <= self.temperature <= 1:
            problems.append("temperature must be between 0 and 1")
        if len(self.initial_prompt) > MAX_PROMPT:
            problems.append(f"initial_prompt must not exceed {MAX_PROMPT} characters")
        if len(self.hotwords) > MAX_HOTWORDS:
            problems.append(f"hotwords must not exceed {MAX_HOTWORDS} entries")
        return problems

    def _known_problems(self) -> list[str]:
        problems = []
        names = [known.name for known in self.known_speakers]
        if len(names) > MAX_KNOWN_SPEAKERS:
            problems.append(f"known_speakers must not exceed {MAX_KNOWN_SPEAKERS}")
        if len(set(names)) < len(names):
            problems.append("known_speakers must differ in their names")
        if any(not _NAME.fullmatch(name) for name in names):
            problems.append(
                f"the names of known_speakers must have 1 to {MAX_NAME} characters, and not look like spk_1"
            )
        if names and not self.diarization:
            problems.append("known_speakers need diarization=true")
        most = self.num_speakers or self.max_speakers
        if most is not None and most < len(names):
            problems.append("num_speakers and max_speakers count known_speakers too")
        return problems

    def _language_problems(self) -> list[str]:
        problems = []
        if not _LANGUAGE.fullmatch(self.language):
            problems.append("language must be 'auto' or a code such as 'en' or 'pt-BR'")
        if len(self.languages) > MAX_LANGUAGES or not all(map(_LANGUAGE.fullmatch, self.languages)):
            problems.append(f"languages must be at most {MAX_LANGUAGES} codes such as 'en' or 'pt-BR'")
        if self.languages and self.language != "auto":
            problems.append("languages restrict language=auto: they exclude any other language")
        if "auto" in self.languages:
            problems.append("languages must be codes, not 'auto'")
        return problems

    @property
    def hints(self) -> SpeakerHints:
        """The speaker counts as the diarizer wants them."""
        return SpeakerHints(exact=self.num_speakers, at_least=self.min_speakers, at_most=self.max_speakers)
