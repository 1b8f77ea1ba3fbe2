"""What every request gets, whatever becomes of it: an id, a log line, safe headers, and an end to unread uploads.

It wraps the whole application, because the router's own refusals must carry the same headers.
"""

import asyncio
import secrets
import time
from typing import cast

import structlog
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Message, Receive, Scope, Send

from application.origin import serving
from application.ports.tracing import Span, Tracer
from domain.origin import Origin, is_request_id
from entrypoints.http.client_address import TrustedProxies
from entrypoints.http.handshake import Handshake
from entrypoints.http.limits import HttpLimits
from entrypoints.http.pace import Pace, RequestTooSlow
from entrypoints.http.rates import rate_headers
from entrypoints.http.safe_headers import SafeHeaders

LINGER_SECONDS = 2.0
"""How long a sender whose request was refused early may go on before it is cut off: closing at once would destroy
the answer before the sender has read it (RFC 9112, section 9.6)."""
_log = structlog.get_logger()


class RequestContext:
    """Wraps an ASGI application; `proxies` are believed of whom they ask for, and `tracer` is told of each request."""

    def __init__(
        self, app: ASGIApp, limits: HttpLimits, safe: SafeHeaders, proxies: TrustedProxies, tracer: Tracer
    ) -> None:
        self._app = app
        self._limits = limits
        self._safe = safe
        self._proxies = proxies
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == ScopeType.HTTP:
            await self._answer(scope, receive, send)
        else:
            headers = Headers.from_scope(scope)
            request_id, parent = _request_id(headers), headers.get("traceparent", "")
            with self._tracer.span("WebSocket", side="server", parent=parent) as span:
                origin = Origin(request_id, span.traceparent)
                await Handshake(self._app, scope, send, origin, self._safe.of(scope)).run(receive)
                span.rename(f"WebSocket {scope.get('path_template', '')}".rstrip())

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        request_id = _request_id(Headers.from_scope(scope))
        scope["state"]["request_id"] = request_id
        headers = self._safe.of(scope) | {"x-request-id": request_id}
        exchange = _Exchange(scope, receive, send, headers, Pace(self._limits))
        began = time.perf_counter()
        method, parent = str(scope["method"]), Headers.from_scope(scope).get("traceparent", "")
        with (
            self._tracer.span(method, side="server", parent=parent, http_request_method=method) as span,
            serving(Origin(request_id, span.traceparent)),
        ):
            try:
                await self._app(scope, exchange.receive, exchange.send)
            finally:
                self._tell(scope, exchange, span, (time.perf_counter() - began) * 1000)

    def _tell(self, scope: HTTPScope, exchange: "_Exchange", span: Span, milliseconds: float) -> None:
        # The template, never the path: a line of the log holds nothing that a caller wrote.
        route, caller = scope.get("path_template", ""), scope.get("user")
        _log.info(
            "request",
            method=scope["method"],
            route=route,
            status=exchange.status,
            milliseconds=round(milliseconds, 1),
            received=exchange.received,
            sent=exchange.sent,
            client=self._proxies.client(scope).partition("/")[0] or None,
            owner=caller and str(caller.owner),
        )
        span.rename(f"{scope['method']} {route}".rstrip())
        span.note(http_route=route, http_response_status_code=exchange.status)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if is_request_id(given) else secrets.token_hex(16)


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: HTTPScope, receive: Receive, send: Send, safe: dict[str, str], pace: Pace) -> None:
        self._scope = scope
        self._receive = receive
        self._pace = pace
        self._send = send
        self._safe = safe
        headers = Headers.from_scope(scope)
        self._unread = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        self._closing = False
        self.status = self.received = self.sent = 0

    async def receive(self) -> HTTPReceiveMessage:
        # Once the body is there, waiting is waiting for the end of the connection, which is nobody's delay.
        waited = self._pace.receive(self._receive) if self._unread else self._receive()
        message = cast("HTTPReceiveMessage", await waited)
        self.received += len(cast("bytes", message.get("body", b"")))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.sent += len(message["body"])
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableScopeHeaders.from_message(message)
            for name, value in self._safe.items():
                headers.setdefault(name, value)
            for name, value in rate_headers(self._scope).items():
                headers[name] = value
            if self._unread:
                self._closing = True
                headers["connection"] = "close"
            await self._send(message)
        elif message["type"] == "http.response.body" and self._closing and not message.get("more_body", False):
            await self._send({"type": "http.response.body", "body": message["body"], "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._send(message)

    async def _linger(self) -> None:
        """Let the sender finish, dropping what it sends, for a moment."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while self._unread:
                    await self.receive()
        except (TimeoutError, RequestTooSlow):
            pass
