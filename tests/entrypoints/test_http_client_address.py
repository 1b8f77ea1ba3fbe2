"""Whose address a request comes from, by what the peer is and what the headers say."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.types import Scope

from entrypoints.http.client_address import TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", " 2001:db8:f::/48", "127.0.0.1", ""])


def scope(peer: str | None, *forwarded: str, **headers: str) -> Scope:
    lines = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    lines += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    made: Any = {"type": "http", "client": (peer, 4711) if peer is not None else None, "headers": lines}
    return cast("Scope", made)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1,10.2.3.4 ,127.0.0.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
        ("10.0.0.1", ["198.51.100.1, rubbish"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, rubbish, 10.2.3.4"], "10.2.3.4"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:8080"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:1:2:3::4]:8080"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:f:1::1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", ["198.51.100.1"], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", [], "fe80::/64"),
        ("", [], ""),
        (None, ["198.51.100.1"], ""),
        ("/run/colloquy.sock", ["198.51.100.1"], ""),
    ],
)
def test_the_rightmost_address_that_is_no_trusted_proxys(peer: str | None, forwarded: list[str], client: str) -> None:
    assert PROXIES.client(scope(peer, *forwarded)) == client


def test_nobody_is_believed_unless_named() -> None:
    for peer in ("127.0.0.1", "10.0.0.1"):
        assert TrustedProxies().client(scope(peer, "198.51.100.1")) == peer


@given(st.text(st.characters(codec="latin-1"), max_size=60), st.text(st.characters(codec="ascii"), max_size=60))
def test_other_headers_count_for_nothing_and_no_value_fails(forwarded: str, other: str) -> None:
    spoofed = scope("203.0.113.9", forwarded, forwarded=f"for={other}", x_real_ip=other, true_client_ip=other)
    assert PROXIES.client(spoofed) == "203.0.113.9"
    assert PROXIES.client(scope("10.0.0.1", forwarded, forwarded=other, x_real_ip=other))


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="localhost"):
        TrustedProxies(["localhost"])
