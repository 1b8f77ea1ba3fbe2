"""Whether the process lives and can take work; open to everybody, so it names parts and no secrets."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec

from entrypoints.http.rates import Zone
from entrypoints.http.schemas import Health, Healthy, Readiness

PROBE_SECONDS = 2.0
OK = "ok"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What the health routes tell: the version, and `probe`, which says `ok` or what is wrong for each part.

    `devices` are those of the engines in use; `warnings` is what the last look found beside.
    """

    version: str
    probe: Callable[[], Awaitable[Mapping[str, str]]]
    devices: Callable[[], Collection[str]] = tuple
    warnings: Callable[[], Mapping[str, str]] = dict

    def healthy(self) -> Healthy:
        """Say that the process answers."""
        gpu = any(device.startswith("cuda") for device in self.devices())
        return Healthy(status="healthy", version=self.version, gpu_available=gpu)


@get(
    ["/health", "/api/v1/health"],
    summary="Health",
    response_description="It answers.",
    tags=["Health"],
    opt={"zone": Zone.HEALTH},
)
async def get_health(report: NamedDependency[HealthReport]) -> Healthy:
    """Say that the process answers, and its version."""
    return report.healthy()


# Supervisors act on these two: nobody must be able to make them fail by asking often.
@get(
    "/health/live",
    summary="Liveness",
    response_description="It lives.",
    tags=["Health"],
    opt={"zone": Zone.UNLIMITED},
)
async def get_liveness(report: NamedDependency[HealthReport]) -> Health:
    """Answer 200 as long as the process runs, whatever else is down: a failure here means restart it."""
    return Health(status="alive", version=report.version)


@get(
    "/health/ready",
    summary="Readiness",
    response_description="Every part is up.",
    tags=["Health"],
    opt={"zone": Zone.UNLIMITED},
    responses={
        503: ResponseSpec(Readiness, generate_examples=False, description="Some part is down; its name says which.")
    },
)
async def get_readiness(report: NamedDependency[HealthReport]) -> Response[Readiness]:
    """Answer 200 when tasks can be taken, 503 naming the part that prevents it: send no traffic then."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            parts = dict(await report.probe())
    except TimeoutError:
        parts = {"probe": "did not answer in time"}
    ready = all(state == OK for state in parts.values())
    body = Readiness(status="ready" if ready else "unready", parts=parts, warnings=dict(report.warnings()))
    return Response(body, status_code=200 if ready else 503)
