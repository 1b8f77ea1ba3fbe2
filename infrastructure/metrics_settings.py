"""What can be configured about the numbers that a process shows."""

from typing import Annotated

from msgspec import Meta, Struct


class MetricsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Prometheus finds a process's numbers, beside the API's own `/metrics`, which needs a key."""

    # They name models, devices and how much is asked for, and there is no key: nobody else's network by default.
    host: Annotated[
        str, Meta(min_length=1, description="Address at which this process shows its numbers, to whoever asks.")
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(ge=0, le=65_535, description="TCP port of `/metrics`, for each process its own; 0 shows them nowhere."),
    ] = 0
