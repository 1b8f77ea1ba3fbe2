"""The fields of OpenAI's audio requests, as options of ours; what cannot be done is refused by its name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.known_speakers import MAX_KNOWN_SPEAKERS
from domain.media import ChannelMode
from domain.options import MAX_HOTWORDS, MAX_LANGUAGES, MAX_PROMPT, MAX_SPEAKERS, Goal, TranscriptionOptions
from entrypoints.http.errors import InvalidFields

ALIASES = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize", "gpt-transcribe")
"""OpenAI's names of models: each stands for the one that is configured here."""
_TELLS_SPEAKERS = "gpt-4o-transcribe-diarize"
ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
_Count = Annotated[int, Meta(ge=1, le=MAX_SPEAKERS)]
_Temperature = Annotated[float, Meta(ge=0, le=1)]
_LINE_SPACE = "\t\n\r"
_LONGEST_NAME = 64


class AudioFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be asked, beside the recording; lists are sent as `x[]` or as `x`, again and again."""

    model: Annotated[
        str, Meta(description=f"A model of this server by name, or {', '.join(ALIASES)}: the configured one.")
    ]
    language: Annotated[str, Meta(description="Code such as `en`; left out, it is found out.")] = ""
    languages: Annotated[
        list[str], Meta(max_length=MAX_LANGUAGES, description="Codes of languages that may be spoken.")
    ] = []
    prompt: Annotated[str, Meta(max_length=MAX_PROMPT, description="Text that sets vocabulary and style.")] = ""
    keywords: Annotated[list[str], Meta(max_length=MAX_HOTWORDS, description="Words to expect.")] = []
    hotwords: Annotated[list[str], Meta(max_length=MAX_HOTWORDS, description="The same.")] = []
    response_format: Annotated[ResponseFormat, Meta(description="What is answered.")] = "json"
    temperature: Annotated[_Temperature | UnsetType, Meta(description="One sampling temperature for all.")] = UNSET
    timestamp_granularities: Annotated[
        list[Literal["word", "segment"]], Meta(description="What has times in `verbose_json`: `segment`, if left out.")
    ] = []
    include: Annotated[
        list[Literal["logprobs"]], Meta(description="Taken and left without effect: engines here have no such tokens.")
    ] = []
    stream: Annotated[bool, Meta(description="Answer with events while the recording is recognised.")] = False
    chunking_strategy: Annotated[
        Literal["auto", "server_vad"],
        Meta(description="Taken and left without effect: speech is always cut in its pauses."),
    ] = "auto"
    diarize: Annotated[
        bool | UnsetType,
        Meta(
            description="Whether to tell speakers apart; left out, for `diarized_json`, the model "
            f"`{_TELLS_SPEAKERS}`, counts of speakers and known ones."
        ),
    ] = UNSET
    known_speaker_names: Annotated[
        list[str], Meta(max_length=MAX_KNOWN_SPEAKERS, description="Speakers whose voices are sent along as samples.")
    ] = []
    num_speakers: Annotated[_Count | UnsetType, Meta(description="Exactly so many speakers.")] = UNSET
    min_speakers: Annotated[_Count | UnsetType, Meta(description="At least so many.")] = UNSET
    max_speakers: Annotated[_Count | UnsetType, Meta(description="At most so many.")] = UNSET


_FIELDS = {field.name: field for field in msgspec.structs.fields(AudioFields)}
_LISTS = {"languages", "keywords", "hotwords", "timestamp_granularities", "include", "known_speaker_names"}
_STRATEGY = "chunking_strategy["


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRequest:
    """What is to be done, and how it is to be answered; `words` and `segments` have times in `verbose_json`.

    `known` are the speakers of whom there are samples.
    """

    options: TranscriptionOptions
    response_format: ResponseFormat
    words: bool
    segments: bool
    stream: bool
    known: tuple[str, ...] = ()


def parse_audio_fields(pairs: Iterable[tuple[str, str]], goal: Goal) -> AudioRequest:
    """Read name and text pairs.

    Raises:
        InvalidFields: missing, unknown, repeated or unreadable fields; all of them at once.
        InvalidOptions: they contradict each other.
    """
    values = look_at_audio_fields(pairs)
    if "model" not in values:
        raise InvalidFields({"model": "you must provide a model parameter"})
    return _request(AudioFields(**values), goal)  # type: ignore[arg-type] # each was read by its own type


def look_at_audio_fields(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Read those that are there, each by itself: what goes with what only the last one tells.

    Raises:
        InvalidFields: unknown, repeated or unreadable fields; all of them at once.
    """
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        # The numbers of a strategy cannot change anything: speech is always cut in its pauses.
        if not name.startswith(_STRATEGY):
            texts.setdefault(name.removesuffix("[]")[:_LONGEST_NAME], []).append(text)
    values, wrong = dict[str, object](), dict[str, str]()
    for name, given in texts.items():
        try:
            values[name] = _read(name, given)
        except ValueError as error:
            wrong[name] = f"{name}: {error}"
    if wrong:
        raise InvalidFields(wrong)
    return values


def _read(name: str, given: list[str]) -> object:
    field = _FIELDS.get(name)
    if field is None:
        raise ValueError("unrecognized request argument supplied")
    if any(char < " " and char not in _LINE_SPACE for text in given for char in text):
        raise ValueError("control characters are not allowed")
    if name in _LISTS:
        return msgspec.convert([text.strip() for text in given], field.type)
    if len(given) > 1:
        raise ValueError("is given more than once")
    text = given[0].strip()
    boolean = field.type is bool or name == "diarize"
    return msgspec.convert(text.lower() if boolean else text, field.type, strict=False)


def _request(fields: AudioFields, goal: Goal) -> AudioRequest:
    counts = {name: getattr(fields, name) for name in ("num_speakers", "min_speakers", "max_speakers")}
    counted = {name: count for name, count in counts.items() if count is not UNSET}
    asked_for = bool(counted or fields.known_speaker_names)
    wants_speakers = fields.response_format == "diarized_json" or fields.model == _TELLS_SPEAKERS or asked_for
    diarization = wants_speakers if isinstance(fields.diarize, UnsetType) else fields.diarize
    if fields.response_format == "diarized_json" and not diarization:
        raise InvalidFields({"diarize": "diarize: diarized_json needs speakers"})
    if fields.timestamp_granularities and fields.response_format != "verbose_json":
        name = "timestamp_granularities"
        raise InvalidFields({name: f"{name}: only verbose_json has them"})
    if fields.stream and fields.response_format in {"srt", "vtt", "verbose_json"}:
        raise InvalidFields({"stream": f"stream: {fields.response_format} is not made of events"})
    options = TranscriptionOptions(
        language=fields.language or "auto",
        languages=tuple(fields.languages),
        goal=goal,
        temperature=None if isinstance(fields.temperature, UnsetType) else fields.temperature,
        model="" if fields.model in ALIASES else fields.model,
        diarization=diarization,
        # Without speakers it is text in one stream; channels would give it two.
        channels=ChannelMode.AUTO if diarization else ChannelMode.MIX,
        initial_prompt=fields.prompt,
        hotwords=(*fields.keywords, *fields.hotwords),
        **counted,
    )
    return AudioRequest(
        options=options,
        response_format=fields.response_format,
        words="word" in fields.timestamp_granularities,
        segments="segment" in fields.timestamp_granularities or not fields.timestamp_granularities,
        stream=fields.stream,
        known=tuple(fields.known_speaker_names),
    )
