"""The headers that close the surface which an answer shows to a browser; what stands in the answer is not looked at."""

from collections.abc import Mapping

from litestar.datastructures import Headers
from litestar.types import Scope

from entrypoints.http.client_address import TrustedProxies

_ALWAYS: Mapping[str, str] = {
    # An answer that is no page may load nothing; the reference loosens this for itself.
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
_HSTS = {"strict-transport-security": "max-age=31536000"}
_ENCRYPTED = {"http": "https", "ws": "wss"}


class SafeHeaders:
    """Knows which of them a request's answer gets; those that a handler has set itself stay."""

    def __init__(self, proxies: TrustedProxies) -> None:
        self._proxies = proxies

    def of(self, scope: Scope) -> dict[str, str]:
        """Return them, and put right in `scope` whether the client's own connection was encrypted.

        HTTPS from now on is demanded by an encrypted answer alone (RFC 6797, section 7.2), and never of `localhost`,
        where it would bind the browser for every other program of that machine.
        """
        if self._proxies.encrypted(scope):
            scope["scheme"] = _ENCRYPTED.get(scope["scheme"], scope["scheme"])
        local = Headers.from_scope(scope).get("host", "").partition(":")[0] == "localhost"
        return {**_ALWAYS, **(_HSTS if scope.get("scheme") in _ENCRYPTED.values() and not local else {})}
