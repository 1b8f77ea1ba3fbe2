"""This process's numbers at the API's own door, for whoever has a key that may see them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.spec import Example, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec import OpenAPIMediaType as MediaTypeObject
from litestar.openapi.spec.enums import OpenAPIType

from domain.access import Scope
from entrypoints.http.openapi import problems

TEXT = "text/plain; version=0.0.4"
_EXAMPLE = """# HELP colloquy_queue_depth Queued tasks whose time has come: what a free worker could take now.
# TYPE colloquy_queue_depth gauge
colloquy_queue_depth 3.0
"""


@dataclass(frozen=True, slots=True)
class ShownNumbers:
    """What gives them."""

    text: Callable[[], Awaitable[bytes]]


@dataclass
class NumbersOperation(Operation):
    """The answer is text of a format of its own, which Litestar cannot see in a signature."""

    def __post_init__(self) -> None:
        """Add it."""
        text = MediaTypeObject(schema=Schema(type=OpenAPIType.STRING), examples={"text": Example(value=_EXAMPLE)})
        responses = cast("dict[str, OpenAPIResponse]", self.responses)
        responses["200"] = OpenAPIResponse(description="Prometheus' text format, 0.0.4.", content={"text/plain": text})


@get(
    "/metrics",
    summary="Numbers",
    response_description="Prometheus' text format, 0.0.4.",
    tags=["Operation"],
    operation_id="get_metrics",
    operation_class=NumbersOperation,
    media_type=TEXT,
    opt={"scope": Scope.ADMIN},
    responses=problems(),
)
async def get_metrics(numbers: NamedDependency[ShownNumbers]) -> Response[bytes]:
    """Give this process's numbers to Prometheus; at METRICS_PORT they are to be had without a key."""
    return Response(await numbers.text(), media_type=TEXT)
