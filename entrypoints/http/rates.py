"""How often one may ask: owners by their own count, strangers by their address; what is counted where is not here.

A request is counted once, when it begins: an answer that streams for hours, or a WebSocket, is one.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import TooManyRequestsException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard, Scope

from application.ports.limits import RateLimiter, Rule, Verdict
from domain.errors import CallerRefused, ColloquyError, ScopeLacking
from entrypoints.http.client_address import TrustedProxies

WINDOW_SECONDS = 60
_STATE = "rate_limit"
_ADMITS = "admits_callers"

Connection = ASGIConnection[Any, Any, Any, Any]


class Zone(StrEnum):
    """What is counted together. A route names its own in `opt` as `zone`; `unlimited` is part of what was counted."""

    GENERAL = "general"
    UPLOADS = "uploads"
    WEBSOCKETS = "websockets"
    AUTH = "auth"
    HEALTH = "health"
    STRANGERS = "strangers"
    UNLIMITED = "unlimited"


class TooManyRequests(ColloquyError):
    """The caller has asked too often."""

    code = "rate_limited"

    def __init__(self, rule: Rule, verdict: Verdict) -> None:
        super().__init__(
            f"at most {rule.most} requests in {rule.seconds} seconds; try again in {verdict.retry_after} seconds"
        )


class RateLimits:
    """Judges requests; `most` is how many a minute each zone allows, and one that is missing or 0 allows any.

    `turned_away` is told the zone of each that is refused.
    """

    def __init__(
        self,
        limiter: RateLimiter | None,
        most: Mapping[Zone, int],
        proxies: TrustedProxies,
        turned_away: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._limiter = limiter
        self._rules = {zone: Rule(zone, number, WINDOW_SECONDS) for zone, number in most.items() if number}
        self._proxies = proxies
        self._turned_away = turned_away

    async def count_owner(self, connection: Connection, zone: Zone) -> None:
        """Count a request of the caller whom the guard let in.

        Raises:
            TooManyRequests: it is one too many.
        """
        await self._count(connection.scope, f"owner {connection.user.owner}", zone)

    async def count_address(self, connection: Connection, zone: Zone) -> None:
        """Count a request of nobody known.

        Raises:
            TooManyRequests: it is one too many.
        """
        await self._count(connection.scope, f"address {self._proxies.client(connection.scope)}", zone)

    async def _count(self, scope: Scope, subject: str, zone: Zone) -> None:
        rule = self._rules.get(zone)
        if rule is None or self._limiter is None:
            return
        verdict = await self._limiter.hit(subject, rule)
        scope["state"][_STATE] = rule, verdict
        if not verdict.allowed:
            self._turned_away(zone.value)
            refused = TooManyRequests(rule, verdict)
            if scope["type"] == ScopeType.WEBSOCKET:
                raise TooManyRequestsException(refused.detail)
            raise refused


def unlimited() -> RateLimits:
    """Return what judges nobody."""
    return RateLimits(None, {}, TrustedProxies())


def admit_counted(admit: Guard, rates: RateLimits) -> Guard:
    """Make a guard around the one that admits callers: who is let in is counted as an owner, others by their address.

    It is a function because Litestar copies objects for each route, which then would count by itself.
    """
    let_in: Any = admit

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        try:
            await let_in(connection, handler)
        except (CallerRefused, ScopeLacking):
            await rates.count_address(connection, Zone.STRANGERS)
            raise
        await rates.count_owner(connection, zone_of(connection.scope, handler, Zone.GENERAL))

    setattr(guard, _ADMITS, True)
    return guard


def count_strangers(rates: RateLimits) -> Guard:
    """Make the guard that counts, by their address, requests of routes that admit everybody."""

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        if not any(getattr(each, _ADMITS, False) for each in handler.resolve_guards()):
            await rates.count_address(connection, zone_of(connection.scope, handler, Zone.STRANGERS))

    return guard


def zone_of(scope: Scope, handler: BaseRouteHandler, usual: Zone) -> Zone:
    """Return the zone that the route names, or that its kind says: a POST of any size hands in a recording."""
    if named := handler.opt.get("zone"):
        return Zone(named)
    if scope["type"] == ScopeType.WEBSOCKET:
        return Zone.WEBSOCKETS
    any_size = getattr(handler, "request_max_body_size", 0) is None
    return Zone.UPLOADS if any_size and scope["method"] == "POST" else usual


def rate_headers(scope: Scope) -> dict[str, str]:
    """Return what an answer tells of the limit that its request was counted against; nothing where there is none.

    The fields are those of draft-ietf-httpapi-ratelimit-headers-11.
    """
    counted: tuple[Rule, Verdict] | None = scope["state"].get(_STATE)
    if counted is None:
        return {}
    rule, verdict = counted
    headers = {
        "ratelimit-policy": f'"{rule.name}";q={rule.most};w={rule.seconds}',
        "ratelimit": f'"{rule.name}";r={verdict.remaining};t={verdict.reset_seconds}',
    }
    return headers if verdict.allowed else headers | {"retry-after": str(verdict.retry_after)}
