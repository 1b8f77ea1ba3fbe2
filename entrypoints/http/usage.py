"""What a caller has used and may use."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from application.query_usage import QueryUsage
from domain.access import Caller
from domain.quota import DAY, MONTH
from entrypoints.http.openapi import problems

_MINUTE_MS = 60_000
_WINDOW = "Seconds over which it is added up, up to now; null where it is what is there at this moment."


class Share(Struct, frozen=True, kw_only=True):
    """What of one thing is used, and how much may be."""

    used: Annotated[float, Meta(description="What is used now.", examples=[12])]
    limit: Annotated[int | None, Meta(description="What may be used; null is without limit.", examples=[500])]
    window_seconds: Annotated[int | None, Meta(description=_WINDOW, examples=[86400])]


class Usage(Struct, frozen=True, kw_only=True):
    """What you have used, and may use."""

    requests: Annotated[Share, Meta(description="Tasks that were handed in, repeated and revised ones among them.")]
    audio_minutes: Annotated[Share, Meta(description="Audio that was decoded for tasks, whatever became of them.")]
    bytes: Annotated[Share, Meta(description="Recordings that were handed in.")]
    tasks: Annotated[Share, Meta(description="Tasks that wait or run.")]


@get(
    "/usage",
    summary="What you have used",
    response_description="What you have used, and may use.",
    tags=["Tasks"],
    responses=problems(),
)
async def get_usage(caller: NamedDependency[Caller], usage: NamedDependency[QueryUsage]) -> Usage:
    """Tell what of your quota is used.

    Whoever has used up any of it is refused further tasks with 429 `quota_exceeded`; `Retry-After` says when some of it
    comes free. How much audio a recording has is known once it is decoded: the one that goes beyond the limit is still
    transcribed, and the next is refused. Deleting a task gives nothing back.
    """
    quota, used = await usage(caller.owner)
    day, month = int(DAY.total_seconds()), int(MONTH.total_seconds())
    minutes = round(used.audio_ms / _MINUTE_MS, 2)
    return Usage(
        requests=Share(used=used.requests, limit=quota.requests, window_seconds=day),
        audio_minutes=Share(used=minutes, limit=quota.audio_minutes, window_seconds=month),
        bytes=Share(used=used.bytes, limit=quota.bytes, window_seconds=month),
        tasks=Share(used=used.tasks, limit=quota.tasks, window_seconds=None),
    )
