"""What can be configured about how often callers may come, and how much they may use."""

from typing import Annotated

from msgspec import Meta, Struct

from domain.quota import Quota


class RateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests in any sixty seconds on end; 0 sets no limit."""

    # Ten a second: a page that shows eight tasks may ask after each every second; a loop that has run wild may not.
    general: Annotated[int, Meta(ge=0, description="Requests a minute of one owner; 0 is no limit.")] = 600
    # An earlier system's number for its own requests that cost minutes of work.
    uploads: Annotated[
        int,
        Meta(ge=0, description="Requests a minute with which one owner hands in recordings, by whatever route."),
    ] = 20
    websockets: Annotated[int, Meta(ge=0, description="WebSockets that one owner may open a minute.")] = 20
    # An earlier system's number: a guesser gets nowhere, and a person who mistypes is let in.
    auth: Annotated[
        int, Meta(ge=0, description="Attempts a minute to log in or to register, from one address (IPv6: one /64).")
    ] = 5
    # An earlier system's number for its health check.
    health: Annotated[int, Meta(ge=0, description="Requests a minute for `/health`, from one address.")] = 100
    strangers: Annotated[
        int, Meta(ge=0, description="Requests a minute without a valid key, from one address: pages, and refused keys.")
    ] = 100


_LIMIT = r"^(unlimited|0|[1-9][0-9]{0,14})$"


class QuotaSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each owner may use, unless `colloquy quotas` says otherwise of one; days and months are rolling."""

    requests: Annotated[
        str, Meta(pattern=_LIMIT, description="Tasks that an owner may hand in within 24 hours, or `unlimited`.")
    ] = "unlimited"
    audio_minutes: Annotated[
        str,
        Meta(
            pattern=_LIMIT,
            description="Minutes of audio that may be transcribed for an owner within 30 days; counted once decoded.",
        ),
    ] = "unlimited"
    bytes: Annotated[
        str, Meta(pattern=_LIMIT, description="Bytes of recordings that an owner may hand in within 30 days.")
    ] = "unlimited"
    tasks: Annotated[str, Meta(pattern=_LIMIT, description="Tasks of an owner that may wait or run at once.")] = (
        "unlimited"
    )

    @property
    def quota(self) -> Quota:
        """The quota of whoever has none of its own."""
        return Quota(**{name: parse_limit(getattr(self, name)) for name in self.__struct_fields__})


def parse_limit(text: str) -> int | None:
    """Read a number, or `unlimited`.

    Raises:
        ValueError: it is neither.
    """
    return None if text == "unlimited" else int(text)
