"""What every WebSocket gets, whatever becomes of it: an id, a log line, and a problem as the answer to a refused one.

Without this a refused handshake would be a bare 403, whatever the reason.
"""

import time
from typing import Any, cast

import msgspec
import structlog
from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import NotFoundException
from litestar.types import ASGIApp, Message, Receive, Scope, Send, WebSocketScope

from application.origin import serving
from domain.origin import Origin
from entrypoints.http.errors import answer

_REFUSAL = "refusal"
_SWITCHING = 101
_log = structlog.get_logger()


async def remember_refusal(error: Exception, scope: Scope) -> None:
    """Keep what a WebSocket was refused for; for Litestar's `after_exception`, which tells of it before the answer."""
    if scope["type"] == ScopeType.WEBSOCKET:
        scope["state"][_REFUSAL] = error


class Handshake:
    """One WebSocket from its request to its end."""

    def __init__(
        self, app: ASGIApp, scope: WebSocketScope, send: Send, origin: Origin, headers: dict[str, str]
    ) -> None:
        self._app = app
        self._scope = scope
        self._send = send
        self._origin = origin
        self._headers = headers | {"x-request-id": origin.request_id}
        self._status = 0

    async def run(self, receive: Receive) -> None:
        """Hand it to the application; `headers` are those of every answer."""
        self._scope["state"]["request_id"] = self._origin.request_id
        began = time.perf_counter()
        with serving(self._origin):
            try:
                await self._app(self._scope, receive, self.send)
            finally:
                _log.info(
                    "websocket",
                    route=self._scope.get("path_template", ""),
                    status=self._status,
                    milliseconds=round((time.perf_counter() - began) * 1000),
                )

    async def send(self, message: Message) -> None:
        """Pass a message on, unless it closes what was never opened: that is answered with a problem."""
        refused = message["type"] == "websocket.close" and not self._status
        if refused and "websocket.http.response" in (self._scope.get("extensions") or {}):
            await self._refuse()
        else:
            if message["type"] == "websocket.accept":
                self._status = _SWITCHING
            await self._send(message)

    async def _refuse(self) -> None:
        error = self._scope["state"].get(_REFUSAL) or NotFoundException()
        problem = answer(Request(cast("Any", self._scope)), error)
        self._status = problem.status_code or 500
        headers = self._headers | {"content-type": str(problem.media_type)} | dict(problem.headers)
        start = {
            "type": "websocket.http.response.start",
            "status": self._status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        await self._send(cast("Message", start))
        body = {"type": "websocket.http.response.body", "body": msgspec.json.encode(problem.content)}
        await self._send(cast("Message", body))
