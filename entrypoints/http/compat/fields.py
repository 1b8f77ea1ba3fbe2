"""Options in other programs' words, to ours: from form fields and query parameters; an unknown name is refused."""

from collections.abc import Collection
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request
from msgspec import Meta, Struct

from domain.options import MAX_PROMPT, MAX_SPEAKERS, TranscriptionOptions
from entrypoints.http.errors import InvalidFields
from entrypoints.http.upload_form import Fields

Count = Annotated[int, Meta(ge=1, le=MAX_SPEAKERS)]
Prompt = Annotated[str, Meta(max_length=MAX_PROMPT)]
_LINE_SPACE = "\t\n\r"
_LONGEST_NAME = 64
S = TypeVar("S", bound=Struct)


class JobFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be asked of a recording whose speakers are told apart; the programs themselves send hardly any of it."""

    language: Annotated[str, Meta(description="Code such as `en`; left out, it is found out.")] = "auto"
    model: Annotated[str, Meta(description="Model by name; left out, the configured one.")] = ""
    num_speakers: Annotated[Count | None, Meta(description="Exactly so many speakers.")] = None
    min_speakers: Annotated[Count | None, Meta(description="At least so many.")] = None
    max_speakers: Annotated[Count | None, Meta(description="At most so many.")] = None


def job_options(pairs: Fields) -> TranscriptionOptions:
    """Read the fields of `JobFields`; raises as `read_fields`, and `InvalidOptions` for contradictions."""
    asked = read_fields(pairs, JobFields)
    return TranscriptionOptions(
        language=asked.language or "auto",
        model=asked.model,
        num_speakers=asked.num_speakers,
        min_speakers=asked.min_speakers,
        max_speakers=asked.max_speakers,
    )


def read_fields(pairs: Fields, kind: type[S]) -> S:
    """Read name and text pairs as a struct, each by its own type.

    Raises:
        InvalidFields: unknown, repeated or unreadable fields; all of them at once.
    """
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    values, wrong = dict[str, Any](), dict[str, str]()
    for given, text in pairs:
        name = given[:_LONGEST_NAME]
        try:
            if name not in known:
                raise ValueError(_unknown(known))  # noqa: TRY301 - told like all the others
            if name in values:
                raise ValueError("is given more than once")  # noqa: TRY301
            if any(char < " " and char not in _LINE_SPACE for char in text):
                raise ValueError("control characters are not allowed")  # noqa: TRY301
            values[name] = msgspec.convert(text.strip(), known[name].type, strict=False)
        except ValueError as error:
            wrong[name] = f"{name}: {error}"
    if wrong:
        raise InvalidFields(wrong)
    return kind(**values)


def no_fields(pairs: Fields) -> None:
    """Refuse whatever is sent beside the recording."""
    if wrong := {name[:_LONGEST_NAME]: f"{name[:_LONGEST_NAME]}: {_unknown(())}" for name, _ in pairs}:
        raise InvalidFields(wrong)


def only_parameters(request: Request[Any, Any, Any], known: Collection[str]) -> None:
    """Refuse query parameters that a route does not know, before it drops them silently."""
    names = (name[:_LONGEST_NAME] for name in request.query_params if name not in known)
    if wrong := {name: f"{name}: {_unknown(known)}" for name in names}:
        raise InvalidFields(wrong)


def _unknown(known: Collection[str]) -> str:
    return f"there is no such field here; there is: {', '.join(known)}" if known else "there is no such field here"
