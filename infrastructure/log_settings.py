"""What can be configured about what is said of the running service: its log, and its traces."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

_KEEP = r"^(forever|[1-9][0-9]{0,5}[hd])$"


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of the running service."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severity that is written.")
    ] = "info"
    format: Annotated[
        Literal["console", "json"],
        Meta(description="Standard error for people, or one JSON object a line in Elastic Common Schema."),
    ] = "console"
    # Containers have somebody who keeps what they write to standard error; a bare machine has not.
    folder: Annotated[
        str,
        Meta(
            description="Folder for log files, JSON as above, one of its own for each process; empty means none."
        ),
    ] = ""  # fmt: skip
    keep: Annotated[
        str,
        Meta(pattern=_KEEP, description="Age at which log files in LOG_FOLDER are removed: `12h`, `30d`; `forever`."),
    ] = "30d"
    # At a quarter of a kilobyte a request, compressed to a tenth, 30 days of 15 requests a second.
    max_mb: Annotated[
        int, Meta(ge=16, description="Megabytes that LOG_FOLDER may hold; beyond, the oldest files are removed.")
    ] = 1024


class Otel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traces by OpenTelemetry; the names are those of its specification."""

    exporter_otlp_endpoint: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s?#@]+)?$",
            description="Collector that gets traces over OTLP/HTTP, such as `http://collector:4318`; empty means no "
            "traces. Needs the extra `otel`.",
        ),
    ] = ""
    exporter_otlp_headers: Annotated[
        str,
        Meta(
            pattern=r"^([\w-]+=[^,]+(,[\w-]+=[^,]+)*)?$",
            description="What that collector wants to be shown: `name=value`, separated by commas.",
            extra={"secret": True},
        ),
    ] = ""
    traces_sampler_arg: Annotated[
        float, Meta(ge=0, le=1, description="Share of the traces begun here that is sent; a caller's decision stands.")
    ] = 1.0
