"""What `OPTIONS` tells of a path: all of its methods; Litestar names those that it knew when it made the answer."""

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.routes import HTTPRoute
from litestar.types import BeforeMessageSendHookHandler, Message, Scope


def allow_every_method() -> BeforeMessageSendHookHandler:
    """Make the hook that puts `Allow` right."""
    methods: dict[str, str] = {}

    async def hook(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start" or scope.get("method") != "OPTIONS":
            return
        headers = MutableScopeHeaders.from_message(message)
        if "allow" in headers:
            methods.update(methods or _methods_of(scope["litestar_app"]))
            headers["allow"] = methods.get(scope.get("path_template", ""), headers["allow"])

    return hook


def _methods_of(app: Litestar) -> dict[str, str]:
    return {
        route.path_format: ", ".join(sorted(map(str, route.methods)))
        for route in app.routes
        if isinstance(route, HTTPRoute)
    }
