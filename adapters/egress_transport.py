"""httpx's transport over `adapters.egress`: a request goes to an address that was judged, never to a name."""

import asyncio
import ssl

import httpx

from adapters.egress import CONNECT_SECONDS, Egress


class EgressTransport(httpx.AsyncBaseTransport):
    """Resolves and judges the host of each request, then hands on the request with the address in its place.

    Every request has a connection of its own: one that was opened for another name must not be used again.
    """

    def __init__(self, egress: Egress, tls: ssl.SSLContext) -> None:
        self._egress = egress
        self._inner = httpx.AsyncHTTPTransport(
            verify=tls, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the first address that takes a connection.

        Raises:
            UrlNotAllowed: the URL, or an address of its host, is forbidden.
            httpx.TransportError: as httpx does.
        """
        place = self._egress.policy.destination(str(request.url))
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("connect") or CONNECT_SECONDS):
                addresses = await self._egress.addresses(place.host, place.port)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("the name server did not answer in time", request=request) from error
        except OSError as error:
            raise httpx.ConnectError("the host is not known", request=request) from error
        trouble: httpx.TransportError = httpx.ConnectError("the host has no address", request=request)
        for address in addresses:
            there = httpx.Request(
                request.method,
                request.url.copy_with(host=str(address), port=place.port),
                headers=request.headers.raw,  # which name the host as it was asked for
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": place.host},
            )
            try:
                return await self._inner.handle_async_request(there)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                trouble = error
        raise trouble

    async def aclose(self) -> None:
        """Close whatever is still open."""
        await self._inner.aclose()
