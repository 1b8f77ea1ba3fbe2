"""What a request shows of who sends it: a key or token, where it may stand, or nothing; judging it is not done here."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType

Connection = ASGIConnection[Any, Any, Any, Any]
QUERY = "access_token"
_SCHEME = "bearer "
_UNREADABLE = ""
_SAFE = frozenset({"GET", "HEAD"})
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def shown(connection: Connection) -> tuple[str | None, bool]:
    """Return the credential and whether it came in the URL, where only a token that was lent may stand.

    It is None for who shows nothing and is on this very machine, so far as a request can tell: only then may the
    installation take it for its own user. The empty text is no credential either, and never good for anything.
    """
    if "authorization" in connection.headers:
        header = connection.headers["authorization"]
        return (header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else _UNREADABLE), False
    reading = connection.scope["type"] == ScopeType.WEBSOCKET or connection.scope.get("method") in _SAFE
    if reading and QUERY in connection.query_params:
        return str(connection.query_params[QUERY]), True
    return (None if _from_here(connection) else _UNREADABLE), False


def _from_here(connection: Connection) -> bool:
    """Whether nobody stands between: no proxy for somebody far away, and no page of another site in a browser."""
    headers = connection.headers
    host, origin = headers.get("host", ""), headers.get("origin")
    if any(name in headers for name in _PROXIED) or not _is_loopback(host):  # a name that was bound to us anew, say
        return False
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return False
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
