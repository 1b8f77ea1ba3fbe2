"""The fields of a transcription request: from form text to options; a name nobody knows is an error, not a default."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as entry
from difflib import get_close_matches
from typing import Any
from uuid import UUID

import msgspec

from application.rendering.plain import one_line
from application.rendering.registry import FORMATS
from domain.known_speakers import KnownSpeaker
from domain.labels import checked_tags
from domain.options import TranscriptionOptions
from entrypoints.http.errors import InvalidFields
from entrypoints.http.form_fields import FILE, TranscribeFields

_LINE_SPACE = "\t\n\r"
_LONGEST_NAME = 64
"""Characters of a field's name that an answer repeats."""


_NAMES, _CLIPS = "known_speaker_names", "known_speaker_clips"
_INSIDE = {"lang": "language", "task": "goal"}
"""Fields that are called otherwise inside."""
_LISTS = {"hotwords", "languages", "tags", _NAMES, _CLIPS}
_FIELDS = {field.name: field for field in msgspec.structs.fields(TranscribeFields)}


_BESIDE = {"title", "tags", "reuse", "webhook_url", "webhook_secret"}
"""Fields that are no options: they go beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscribeRequest:
    """What a request asks for: the options, and what goes beside them."""

    options: TranscriptionOptions
    title: str = ""
    tags: tuple[str, ...] = ()
    reuse: bool = False
    webhook_url: str = entry(default="", repr=False)
    webhook_secret: str = entry(default="", repr=False)

    @property
    def webhook_digest(self) -> str:
        """What tells the webhook from others; empty where there is none."""
        told = f"{self.webhook_url} {self.webhook_secret}"
        return hashlib.sha256(told.encode()).hexdigest() if self.webhook_url else ""

    def __post_init__(self) -> None:
        """Refuse what of a webhook does not go together.

        Raises:
            InvalidFields: as it says.
        """
        if bool(self.webhook_url) != bool(self.webhook_secret):
            raise InvalidFields({"webhook_secret": "webhook_secret: give it with webhook_url, and neither alone"})
        if self.webhook_url and self.reuse:
            raise InvalidFields({"webhook_url": "webhook_url: is for a new task, so leave out reuse"})


def parse_fields(pairs: Iterable[tuple[str, str]]) -> TranscribeRequest:
    """Read name and text pairs.

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
    beside: dict[str, Any] = {name: values.pop(name) for name in _BESIDE & values.keys()}
    beside["title"] = one_line(beside.get("title", ""))
    beside["tags"] = checked_tags(filter(None, map(one_line, beside.get("tags", ()))))
    known = _known(values.pop(_NAMES, ()), values.pop(_CLIPS, ()))  # type: ignore[arg-type]  # read by their own types
    options = {_INSIDE.get(name, name): value for name, value in values.items()}
    return TranscribeRequest(options=TranscriptionOptions(**options, known_speakers=known), **beside)  # type: ignore[arg-type]  # each was read by its own type


def _known(names: Sequence[str], clips: Sequence[UUID]) -> tuple[KnownSpeaker, ...]:
    if len(names) != len(clips):
        raise InvalidFields({_CLIPS: f"{_CLIPS}: {len(clips)} for {len(names)} {_NAMES}"})
    return tuple(KnownSpeaker(name=name, sample=clip) for name, clip in zip(names, clips, strict=True))


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
    if name == FILE:  # in JSON
        return "a recording is sent as multipart/form-data"
    near = get_close_matches(name, [*_FIELDS, FILE], n=1)
    return f"there is no such field; did you mean {near[0]!r}?" if near else "there is no such field"
