"""Where requests made for callers may go: public addresses, and what the operator has allowed besides.

Judges spellings and addresses only; it resolves no name and opens no connection. Whoever connects judges each address
of a name with `EgressPolicy.admits`, and connects to exactly the address that was judged.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urlsplit

from domain.errors import UrlNotAllowed

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL = 4096
"""Characters; presigned URLs of object stores have about half as many."""

WEB_PORTS = (range(80, 81), range(443, 444), range(1024, 65_536))

_PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is globally routable so far: NAT64, ULA, link-local, mapped and site-local addresses lie outside."""
# Listed here and not asked of `is_global`, whose answers differ between releases of Python.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",  # a public address at which one cloud answers its own machines
        "2001::/23",  # Teredo, ORCHID, benchmarks: protocols, not hosts
        "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_ISATAP = re.compile("0[02]005efe", re.ASCII)
"""In the lower half of an IPv6 address: an IPv4 address follows, to which a router here may tunnel."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
"""Some parsers drop them and some end the host at them: no two agree on what such a URL names."""
_NAMED = re.compile(r"([^:\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_MAX_HOST = 253
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SHOWN = frozenset({"v", "t", "start", "end", "lang", "format"})
"""Parameters that say what is asked for; the value of any other may be what lets its holder in."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that may be asked for, in one spelling that every parser reads alike; `address` if it names one itself."""

    url: str
    scheme: str
    host: str
    port: int
    address: Address | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPolicy:
    """What is allowed beyond public addresses, and which ports.

    `hosts` may be at any address. Ports under 1024 other than the web's two belong to services that are no web servers.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    ports: tuple[range, ...] = WEB_PORTS

    @staticmethod
    def allowing(items: Iterable[str], *, ports: Iterable[range] | None = None) -> "EgressPolicy":
        """Build the policy that also allows these networks (`10.0.0.0/8`), addresses and host names.

        Raises:
            ValueError: one of them is none of the three.
        """
        networks: list[Network] = []
        hosts: set[str] = set()
        for item in filter(None, (item.strip() for item in items)):
            try:
                networks.append(ip_network(item, strict=False))
            except ValueError:
                try:
                    hosts.add(_host(item))
                except UrlNotAllowed as error:
                    raise ValueError(f"{item!r} is neither a network nor a host") from error
        known = WEB_PORTS if ports is None else tuple(ports)
        return EgressPolicy(networks=tuple(networks), hosts=frozenset(hosts), ports=known)

    def admits(self, host: str, address: Address) -> bool:
        """Whether a connection for `host` may be opened to `address`."""
        if host in self.hosts or any(address in network for network in self.networks):
            return True
        if any(address in network for network in _NEVER):
            return False
        if isinstance(address, IPv4Address):
            return True
        tail = f"{int(address) & (1 << 64) - 1:016x}"
        return address in _PUBLIC_V6 and not address.scope_id and not _ISATAP.match(tail)

    def admits_port(self, port: int) -> bool:
        """Whether a connection may be opened to `port` at all."""
        return any(port in ports for ports in self.ports)

    def destination(self, url: str) -> Destination:
        """Read a URL and judge all that can be judged without asking a name server.

        Raises:
            UrlNotAllowed: it is malformed, ambiguous, or leads where no request may go.
        """
        if not 0 < len(url) <= MAX_URL or _UNSAFE.search(url):
            raise UrlNotAllowed(
                f"a URL has 1 to {MAX_URL} characters, none of them blanks, control characters or backslashes"
            )
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise UrlNotAllowed("the URL cannot be read") from error
        if parts.scheme not in _DEFAULT_PORTS or not url[len(parts.scheme) :].startswith("://"):
            raise UrlNotAllowed("the URL must start with http:// or https://")
        credentials, at, place = parts.netloc.rpartition("@")
        host, address, port = _place(place, _DEFAULT_PORTS[parts.scheme])
        self.check(host, port, address)
        shown = f"[{host}]" if isinstance(address, IPv6Address) else host
        after = "" if port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
        query = f"?{_ascii(parts.query)}" if parts.query else ""
        return Destination(
            url=f"{parts.scheme}://{_ascii(credentials, '@')}{at}{shown}{after}{_ascii(parts.path) or '/'}{query}",
            scheme=parts.scheme,
            host=host,
            port=port,
            address=address,
        )

    def check(self, host: str, port: int, address: Address | None = None) -> None:
        """Refuse a place that is forbidden whatever name servers say.

        Raises:
            UrlNotAllowed: the port or the address is not allowed.
        """
        if not self.admits_port(port):
            raise UrlNotAllowed(f"the port {port} is not allowed")
        if address is not None and not self.admits(host, address):
            raise UrlNotAllowed("the URL's host is not a public address")


def place_of(authority: str, policy: EgressPolicy, *, default_port: int) -> tuple[str, Address | None, int]:
    """Read and judge `host:port` as a proxy is given it; return the host, its address if it is one, and the port.

    Raises:
        UrlNotAllowed: as `EgressPolicy.destination`.
    """
    host, address, port = _place(authority, default_port)
    policy.check(host, port, address)
    return host, address, port


def masked(url: str) -> str:
    """Return the URL for showing: no credentials, no fragment, and of parameters only the names.

    >>> masked("https://ann:secret@example.org/a.mp3?v=7&sig=abc#t")
    'https://***@example.org/a.mp3?v=7&sig=***'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "***"
    if not parts.scheme or not parts.netloc:
        return "***"
    _, at, place = parts.netloc.rpartition("@")
    query = "&".join(map(_masked_parameter, parts.query.split("&"))) if parts.query else ""
    return f"{parts.scheme}://{at and '***@'}{place}{parts.path}{query and '?'}{query}"


def _masked_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        return "***"
    return f"{name}={value if name in _SHOWN else '***'}"


def _place(text: str, default_port: int) -> tuple[str, Address | None, int]:
    if bracketed := _BRACKETED.fullmatch(text):
        host, port = bracketed.groups()
        try:
            address: Address | None = IPv6Address(host)
        except ValueError as error:
            raise UrlNotAllowed("the URL's host is no IPv6 address") from error
        return str(address), address, int(port or default_port)
    if named := _NAMED.fullmatch(text):
        host = _host(named.group(1))
        return host, _literal(host), int(named.group(2) or default_port)
    raise UrlNotAllowed("the URL's host cannot be read")


def _host(name: str) -> str:
    """Return a host's one spelling: ASCII, in small letters, without the root's dot."""
    try:
        host = name.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise UrlNotAllowed("the URL's host is no name") from error
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise UrlNotAllowed("the URL's host is no name")
    return host


def _literal(host: str) -> Address | None:
    """Return the address that a host spells out, None if it is a name.

    C libraries read `127.1`, `0x7f.1`, `017700000001` and `2130706433` as addresses: whatever ends in a number must be
    one as everybody writes it.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return ip_address(host)
    except ValueError as error:
        raise UrlNotAllowed("the URL's host is no address as it is usually written") from error


def _ascii(text: str, unsafe: str = "") -> str:
    """Percent-encode what is not ASCII, and nothing twice."""
    return quote(text, safe="".join(char for char in "%/:=&?~+!$,;'@()*[]|" if char not in unsafe))
