"""The fields of a transcription request: from form text to options; a name nobody knows is an error, not a default."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from application.rendering.registry import FORMATS
from domain.media import ChannelMode
from domain.options import MAX_HOTWORDS, MAX_LANGUAGES, MAX_PROMPT, MAX_SPEAKERS, Goal, TranscriptionOptions
from entrypoints.http.errors import InvalidFields

FILE = "file"
_Count = Annotated[int, Meta(ge=1, le=MAX_SPEAKERS)]
_Temperature = Annotated[float, Meta(ge=0, le=1)]
_LINE_SPACE = "\t\n\r"
_LONGEST_NAME = 64
"""Characters of a field's name that an answer repeats."""


class TranscribeFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be asked, beside the recording; text, so `true` and `3` are read as what they say."""

    lang: Annotated[str, Meta(description="Language code such as `en` or `pt-BR`, or `auto`.")] = "auto"
    languages: Annotated[
        list[str],
        Meta(
            max_length=MAX_LANGUAGES,
            description="Languages that may be spoken, with `lang` left at `auto`; each stretch of speech is one of "
            "them. Repeat the field, or separate the codes by commas.",
        ),
    ] = []
    task: Annotated[Goal, Meta(description="`translate` writes English, whatever is spoken, where the model can.")] = (
        Goal.TRANSCRIBE
    )
    temperature: Annotated[
        _Temperature | UnsetType,
        Meta(description="One sampling temperature for all; left out, doubtful passages are tried at more."),
    ] = UNSET
    model: Annotated[str, Meta(description="Model by name; empty means the configured default.")] = ""
    format: Annotated[str, Meta(description="What `/result` gives unless told otherwise.")] = "json"
    diarization: Annotated[bool, Meta(description="Whether to tell speakers apart.")] = True
    num_speakers: Annotated[_Count | UnsetType, Meta(description="Exactly so many speakers.")] = UNSET
    min_speakers: Annotated[_Count | UnsetType, Meta(description="At least so many.")] = UNSET
    max_speakers: Annotated[_Count | UnsetType, Meta(description="At most so many.")] = UNSET
    channels: Annotated[ChannelMode, Meta(description="`split` gives each channel a speaker of its own.")] = (
        ChannelMode.AUTO
    )
    initial_prompt: Annotated[
        str, Meta(max_length=MAX_PROMPT, description="Text that sets vocabulary and style, where the engine takes one.")
    ] = ""
    hotwords: Annotated[
        list[str],
        Meta(max_length=MAX_HOTWORDS, description="Words to expect; repeat the field, or separate them by commas."),
    ] = []


_INSIDE = {"lang": "language", "task": "goal"}
"""Fields that are called otherwise inside."""
_LISTS = {"hotwords", "languages"}
_FIELDS = {field.name: field for field in msgspec.structs.fields(TranscribeFields)}


def parse_fields(pairs: Iterable[tuple[str, str]]) -> TranscriptionOptions:
    """Read name and text pairs as options.

    Raises:
        InvalidFields: unknown, repeated or unreadable fields; all of them at once.
        InvalidOptions: they contradict each other.
    """
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name.removesuffix("[]")[:_LONGEST_NAME], []).append(text)
    values: dict[str, object] = {}
    wrong: dict[str, str] = {}
    for name, given in texts.items():
        try:
            values[name] = _read(name, given)
        except ValueError as error:
            wrong[name] = f"{name}: {error}"
    if wrong:
        raise InvalidFields(wrong)
    for name, inner in _INSIDE.items():
        if name in values:
            values[inner] = values.pop(name)
    return TranscriptionOptions(**values)  # type: ignore[arg-type]  # each was read by its own type


def _read(name: str, given: list[str]) -> object:
    field = _FIELDS.get(name)
    if field is None:
        raise ValueError(_unknown(name))
    if any(char < " " and char not in _LINE_SPACE for text in given for char in text):
        raise ValueError("control characters are not allowed")
    if name in _LISTS:
        words = [word for text in given for part in text.split(",") if (word := part.strip())]
        return tuple(msgspec.convert(words, field.type))
    if len(given) > 1:
        raise ValueError("is given more than once")
    text = given[0].strip()
    if name == "format" and text not in FORMATS:
        raise ValueError(f"there is: {', '.join(FORMATS)}")
    return msgspec.convert(text.lower() if field.type is bool else text, field.type, strict=False)


def _unknown(name: str) -> str:
    near = get_close_matches(name, [*_FIELDS, FILE], n=1)
    return f"there is no such field; did you mean {near[0]!r}?" if near else "there is no such field"
