"""This process's numbers at the API's own door, for whoever has a key that may see them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from litestar import Response, get
from litestar.di import NamedDependency

from domain.access import Scope

TEXT = "text/plain; version=0.0.4"


@dataclass(frozen=True, slots=True)
class ShownNumbers:
    """What gives them."""

    text: Callable[[], Awaitable[bytes]]


@get(
    "/metrics",
    summary="Numbers",
    response_description="Prometheus' text format, version 0.0.4.",
    tags=["Health"],
    media_type=TEXT,
    opt={"scope": Scope.ADMIN},
)
async def get_metrics(numbers: NamedDependency[ShownNumbers]) -> Response[bytes]:
    """Give this process's numbers to Prometheus; at METRICS_PORT they are to be had without a key."""
    return Response(await numbers.text(), media_type=TEXT)
