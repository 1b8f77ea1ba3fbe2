"""What can be configured of the way to the database, beside its URL; see `settings.py`."""

from typing import Annotated

from msgspec import Meta, Struct


class DatabaseSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One process's connections to PostgreSQL. The processes' sum must stay below the server's `max_connections`."""

    # A transaction lasts milliseconds, so five serve hundreds of requests a second; a worker is well served by one.
    connections: Annotated[
        int,
        Meta(
            ge=1, le=100,
            description="Connections to PostgreSQL that a process keeps. All processes together must stay below the "
            "server's `max_connections`, 100 by default.",
        ),
    ] = 5  # fmt: skip
    overflow: Annotated[
        int, Meta(ge=0, le=100, description="Connections that it may open beside these in a rush, and closes again.")
    ] = 10
