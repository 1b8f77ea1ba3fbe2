"""Who may pass: every route under the guard needs a key, and a route outside it says so by being mounted elsewhere."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard
from structlog.contextvars import bind_contextvars

from application.admit_caller import AdmitCaller
from domain.access import Caller
from entrypoints.http.errors import BadRequest
from entrypoints.http.limits import MAX_HEADER_BYTES

Connection = ASGIConnection[Any, Any, Any, Any]
_SCHEME = "bearer "


async def limit_headers(connection: Connection, _: BaseRouteHandler) -> None:
    """Refuse what got past the server's own limit, which holds for headers that arrive in several pieces only.

    Litestar runs a guard that is not async in a thread, where it would wait behind uploads that are being written.
    """
    scope = connection.scope
    lines = sum(len(name) + len(value) for name, value in scope["headers"])
    if lines + len(scope["raw_path"]) + len(scope["query_string"]) > MAX_HEADER_BYTES:
        raise BadRequest(f"request headers may have at most {MAX_HEADER_BYTES} bytes", code="headers_too_large")


def require_caller(admit: AdmitCaller) -> Guard:
    """Make the guard that turns the `Authorization` header into `request.user`, or raises `CallerRefused`."""

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        header = connection.headers.get("authorization", "")
        token = header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else None
        caller = await admit(token)
        bind_contextvars(key_id=str(caller.key))
        connection.scope["user"] = caller

    return guard


def current_caller(request: Request[Caller, Any, Any]) -> Caller:
    """Give a handler the caller whom the guard let in."""
    return request.user
