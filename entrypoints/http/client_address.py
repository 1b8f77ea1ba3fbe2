"""Whose address a request comes from: the peer's, unless the peer is a proxy that we were told to believe."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from litestar.types import Scope

_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDED_PROTO = b"x-forwarded-proto"
_IPV6_PREFIX = 64
"""What one subscriber has at least: within it, everybody picks any address at no cost."""


class TrustedProxies:
    """The networks whose word about their own peers is taken: what `X-Forwarded-For` says, from its right end.

    Everything left of the first address that is not a trusted proxy's was written by whoever wanted to. `Forwarded`
    and `X-Real-IP` are believed of nobody.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Take networks such as `10.0.0.0/8`.

        Raises:
            ValueError: one is none.
        """
        self._networks = [ip_network(network.strip(), strict=False) for network in networks if network.strip()]

    def client(self, scope: Scope) -> str:
        """Return the client's address, for IPv6 its /64; empty where there is none, as on a Unix socket."""
        peer = scope.get("client")
        address = _parse(peer[0]) if peer else None
        if address is None:
            return ""
        if self._trusts(address):
            for said in reversed(_forwarded(scope)):
                before = _parse(said)
                if before is None:
                    break
                address = before
                if not self._trusts(address):
                    break
        return (
            str(address)
            if isinstance(address, IPv4Address)
            else str(IPv6Network((address, _IPV6_PREFIX), strict=False))
        )

    def encrypted(self, scope: Scope) -> bool:
        """Whether a proxy that is believed says by `X-Forwarded-Proto` that the client came to it over TLS."""
        peer = scope.get("client")
        address = _parse(peer[0]) if peer else None
        said = [value for name, value in scope["headers"] if name == _FORWARDED_PROTO]
        return address is not None and bool(said) and said[-1].strip().lower() == b"https" and self._trusts(address)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _forwarded(scope: Scope) -> list[str]:
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED_FOR]
    return ",".join(lines).split(",") if lines else []


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, which may have a port or a zone; one of IPv4 in IPv6's clothes is IPv4's."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
