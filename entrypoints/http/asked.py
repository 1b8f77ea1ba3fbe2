"""From where each request comes, for the audit log; who it is from is said by the guard that lets it in."""

from collections.abc import Callable

from litestar.types import ASGIApp, Receive, Scope, Send

from application.audit import Notes, asked_from
from entrypoints.http.client_address import TrustedProxies


class Asked:
    """Wraps an ASGI application; `shorten` makes of an address what may be kept of it."""

    def __init__(self, app: ASGIApp, notes: Notes, proxies: TrustedProxies, shorten: Callable[[str], str]) -> None:
        self._app = app
        self._notes = notes
        self._proxies = proxies
        self._shorten = shorten

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] not in {"http", "websocket"}:  # the process begins or ends
            await self._app(scope, receive, send)
            return
        with asked_from(self._shorten(self._proxies.client(scope)), self._notes):
            await self._app(scope, receive, send)
