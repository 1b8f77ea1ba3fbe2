"""Who may pass: every route under the guard needs a key, and a route outside it says so by being mounted elsewhere."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard
from structlog.contextvars import bind_contextvars

from application.admit_caller import AdmitCaller
from application.audit import let_in
from domain.access import Caller, Scope
from domain.errors import ScopeLacking
from entrypoints.http.credential import shown
from entrypoints.http.errors import BadRequest
from entrypoints.http.leaving import ADMIT_AGAIN
from entrypoints.http.limits import MAX_HEADER_BYTES

Connection = ASGIConnection[Any, Any, Any, Any]
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


async def limit_headers(connection: Connection, _: BaseRouteHandler) -> None:
    """Refuse what got past the server's own limit, which holds for headers that arrive in several pieces only.

    Litestar runs a guard that is not async in a thread, where it would wait behind uploads that are being written.
    """
    scope = connection.scope
    lines = sum(len(name) + len(value) for name, value in scope["headers"])
    if lines + len(scope["raw_path"]) + len(scope["query_string"]) > MAX_HEADER_BYTES:
        raise BadRequest(f"request headers may have at most {MAX_HEADER_BYTES} bytes", code="headers_too_large")


def require_caller(admit: AdmitCaller) -> Guard:
    """Make the guard that turns what a request shows into `request.user`, or raises `CallerRefused`.

    Reading needs the scope `read` and all else `write`, unless the route's `opt` names another as `scope`. A token that
    was lent for one task opens the routes of that task alone.
    """

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        credential, in_url = shown(connection)
        needed = scope_of(handler, str(connection.scope.get("method", "GET")))

        async def admitted() -> Caller:
            caller = await admit(credential, lent_only=in_url)
            bind_contextvars(caller=caller.name)
            let_in(caller.actor, caller.owner)
            if needed not in caller.scopes:
                raise ScopeLacking(f"this needs a credential with the scope {needed}")
            if caller.task is not None and connection.path_params.get("task_id") != caller.task:
                raise ScopeLacking("this token is for one task alone")
            return caller

        connection.scope["user"] = await admitted()
        connection.state[ADMIT_AGAIN] = admitted

    return guard


def scope_of(handler: BaseRouteHandler, method: str) -> Scope:
    """Return the scope that a request of `method` to the route needs; a WebSocket counts as GET."""
    return Scope(handler.opt.get("scope") or (Scope.READ if method in _READING else Scope.WRITE))


def current_caller(request: Request[Caller, Any, Any]) -> Caller:
    """Give a handler the caller whom the guard let in."""
    return request.user
