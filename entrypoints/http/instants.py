"""Instants in queries: as RFC 3339 writes them, with a zone."""

from datetime import UTC, datetime
from typing import Annotated

from litestar.params import Parameter
from msgspec import ValidationError, convert

from entrypoints.http.errors import InvalidFields

# Text, because Litestar would take any number for the seconds since 1970.
_DESCRIBED = Parameter(schema_extra={"format": "date-time"}, description="An instant by RFC 3339, with its zone.")
Instant = Annotated[str, _DESCRIBED]
AnyInstant = Annotated[str | None, _DESCRIBED]


def instant_or_none(name: str, text: str | None) -> datetime | None:
    """Do what `instant` does where nothing need be given."""
    return None if text is None else instant(name, text)


def instant(name: str, text: str) -> datetime:
    """Read the parameter `name`, and put it into UTC.

    Raises:
        InvalidFields: it is no instant, or has no zone.
    """
    try:
        read = convert(text, datetime)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
    except (ValidationError, OverflowError):  # of the year 1, east of Greenwich
        pass
    raise InvalidFields({name: f"{name}: an instant with its zone is needed, as in 2026-01-31T09:00:00Z"})
