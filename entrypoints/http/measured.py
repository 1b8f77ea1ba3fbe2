"""How long answers take to begin, by route; a route's template, never what a caller wrote into it."""

import time

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from application.ports.metrics import Metrics

HUNG_UP = 499
"""What is noted for a caller who was gone before there was an answer; no answer says it."""


class Measured:
    """Wraps an ASGI application; a WebSocket is no request with an answer, and not noted."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        def note(number: int) -> None:
            self._metrics.answered(
                method=scope["method"],
                route=scope.get("path_template", ""),
                status=number,
                seconds=time.perf_counter() - began,
            )

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                note(status)
            await send(message)

        self._metrics.request_began()
        try:
            await self._app(scope, receive, sending)
        finally:
            self._metrics.request_ended()
            if not status:
                note(HUNG_UP)
