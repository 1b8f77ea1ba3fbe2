"""Connections that callers ask for: each name is resolved once, every address judged, and exactly those connected to.

Whatever goes out on a caller's word (recordings by URL, webhooks) must go through here. No proxy of the environment is
used, no netrc, no cookie is kept, and no redirect is followed unless the caller judges it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from domain.egress import Address, EgressPolicy
from domain.errors import UrlNotAllowed

if TYPE_CHECKING:
    import ssl

    import httpx

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Gives the addresses of a host, in the order in which to try them; raises `OSError` if there are none."""

CONNECT_SECONDS = 10.0


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class Egress:
    """The one door to the network for requests made on a caller's word."""

    def __init__(self, policy: EgressPolicy, resolve: Resolve = resolve) -> None:
        self.policy = policy
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return where `host` is, if a connection may be opened to each of its addresses.

        Raises:
            UrlNotAllowed: one of them, or the port, is forbidden: who mixes allowed with forbidden ones means ill.
            OSError: it has none.
        """
        self.policy.check(host, port)
        found = [_address(text) for text in await self._resolve(host, port)]
        if not found:
            raise OSError("the host has no address")
        if not all(self.policy.admits(host, address) for address in found):
            raise UrlNotAllowed("the URL's host is not, or not only, at public addresses")
        return found

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a plain connection.

        Raises:
            UrlNotAllowed: as `addresses`.
            OSError: it cannot be reached.
        """
        async with asyncio.timeout(CONNECT_SECONDS):
            trouble = OSError("the host has no address")
            for address in await self.addresses(host, port):
                try:
                    return await asyncio.open_connection(str(address), port)
                except OSError as error:
                    trouble = error
            raise trouble

    def client(self, *, timeout: "httpx.Timeout") -> "httpx.AsyncClient":
        """Make an HTTP client; it raises `UrlNotAllowed` beside httpx's own errors, and must be closed."""
        import httpx

        from adapters.egress_transport import EgressTransport

        return httpx.AsyncClient(
            transport=EgressTransport(self, _tls()), timeout=timeout, trust_env=False, follow_redirects=False
        )


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise UrlNotAllowed("the URL's host is at no address that is understood") from error


@cache
def _tls() -> "ssl.SSLContext":
    """Make the context once: it takes 20 ms. `SSL_CERT_FILE` and `SSL_CERT_DIR` name authorities of one's own."""
    import httpx

    return httpx.create_ssl_context(trust_env=True)
