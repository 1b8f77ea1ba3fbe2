"""Health under the prefixes of the dialects whose programs ask for it there."""

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from entrypoints.http.compat.operations import TAG
from entrypoints.http.health import HealthReport
from entrypoints.http.rates import Zone
from entrypoints.http.schemas import Healthy


def health_route(dialect: str) -> HTTPRouteHandler:
    """Make the route of a dialect; open to everybody, as the others of its kind."""

    @get(
        "/health",
        opt={"zone": Zone.HEALTH},
        operation_id=f"get_{dialect}_health",
        summary=f"{dialect}: health",
        tags=[TAG],
        response_description="It answers.",
    )
    async def get_health(report: NamedDependency[HealthReport]) -> Healthy:
        """Say that the process answers, its version, and whether it has a GPU."""
        return report.healthy()

    return get_health
