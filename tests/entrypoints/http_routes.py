"""Every route that the application really has, so that a test over all of them forgets none."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute, WebSocketRoute

ANY_ID = "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"
WEBSOCKET = "WEBSOCKET"
_SAMPLES = {"uuid": ANY_ID, "int": "1", "str": "name", "path": "some/name"}
_PARAMETER = re.compile(r"\{(\w+):(\w+)\}")


@dataclass(frozen=True)
class Route:
    """One method of one path, as in `/tasks/{task_id:uuid}`; a WebSocket's method is `WEBSOCKET`."""

    method: str
    template: str
    handler: BaseRouteHandler

    @property
    def parameters(self) -> dict[str, str]:
        """The names of the parameters in the path, with their types."""
        return dict(_PARAMETER.findall(self.template))

    def path(self, **values: str | UUID) -> str:
        """The path, with values that are made up for parameters that are not given."""
        return _PARAMETER.sub(lambda found: str(values.get(found[1], _SAMPLES[found[2]])), self.template)

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


def every_route(app: Litestar) -> list[Route]:
    """Return all but the answers to OPTIONS, which Litestar gives by itself and which tell nothing but methods."""
    found: list[Route] = []
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            handlers: dict[Any, BaseRouteHandler] = {m: pair[0] for m, pair in route.route_handler_map.items()}
            found += [Route(str(method), route.path, each) for method, each in handlers.items() if method != "OPTIONS"]
        elif isinstance(route, WebSocketRoute):
            found.append(Route(WEBSOCKET, route.path, route.route_handler))
    return found


async def refusal(app: Litestar, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Return the status and the body with which a WebSocket is refused; 101 is one that is not."""
    said: list[Any] = []
    sent = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "subprotocols": [], "state": {},
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "server": ("test", 80), "client": ("127.0.0.1", 1), "extensions": {"websocket.http.response": {}},
    }  # fmt: skip

    async def receive() -> Any:
        return sent.pop(0) if sent else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        said.append(message)

    handler: Any = app
    await handler(scope, receive, send)
    if said[0]["type"] == "websocket.accept":
        return 101, ""
    assert said[0]["type"] == "websocket.http.response.start"
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:]).decode()
