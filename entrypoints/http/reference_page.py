"""Serves the API reference as a page that needs no script, no font and nothing from outside."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, get
from litestar.datastructures import MutableScopeHeaders
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.types import Message, Scope

from entrypoints.http.problem_types import KINDS, problem_type
from entrypoints.http.reference_html import render_reference

_NONCE = "page_nonce"
_POLICY = "default-src 'none'; style-src 'nonce-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STYLE = Path(__file__).with_name("reference_page.css")


class ReferencePage(OpenAPIRenderPlugin):
    """Shows the OpenAPI description, completed by `complete`, to people."""

    def __init__(self, complete: Callable[[dict[str, Any]], dict[str, Any]], *, path: str) -> None:
        super().__init__(path=path)
        self._complete = complete

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Write the page."""
        nonce = secrets.token_urlsafe(16)
        request.scope["state"][_NONCE] = nonce
        base = str(request.base_url).rstrip("/")
        return render_reference(self._complete(openapi_schema), base=base, nonce=nonce)


async def let_page_load(message: Message, scope: Scope) -> None:
    """Let the page load what shows its nonce: every other answer may load nothing. For Litestar's `before_send`."""
    if message["type"] == "http.response.start" and (nonce := scope["state"].get(_NONCE)):
        MutableScopeHeaders.from_message(message)["content-security-policy"] = _POLICY.format(nonce)


@get("/style.css", media_type=MediaType.CSS, sync_to_thread=False)
def stylesheet() -> str:
    """Give the page its looks."""
    return _STYLE.read_text()


@get("/", include_in_schema=False, sync_to_thread=False)
def to_reference() -> Redirect:
    """Send whoever opens the bare address to the reference."""
    return Redirect("/docs")


@get("/problems/{name:str}", include_in_schema=False, sync_to_thread=False)
def explain_problem(name: FromPath[str]) -> Redirect:
    """Make the `type` of a problem lead to its explanation."""
    known = {problem_type(code): code for code in KINDS}
    return Redirect(f"/docs#{known.get(f'/problems/{name}', 'problems')}")
