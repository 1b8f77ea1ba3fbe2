"""A recording that is named by a URL: what fetching it may cost, and what is known of it once it is here."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MediaUrl:
    """Names a recording on somebody's server where a recording is asked for; it may hold secrets."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one recording may cost: bytes that arrive, ms that it says it lasts, seconds of wall time.

    `min_rate` is how many bytes a second must arrive, over any `patience` seconds.
    """

    max_bytes: int
    max_duration: int
    max_seconds: float
    min_rate: int = 1024
    patience: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMedia:
    """What was fetched. `title` and `filename` are as its server gave them, cleaned for showing, and may be empty.

    `duration` is ms as its site states them, None if it does not; `media_type` likewise, and may be empty; `url` is
    where the bytes came from at last, masked for showing.
    """

    title: str
    filename: str
    duration: int | None
    media_type: str
    size: int
    url: str
