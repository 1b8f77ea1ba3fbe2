"""What can be configured about who may call, and what must not be while strangers can reach the service."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

_PLACEHOLDERS = frozenset(
    {
        "admin", "admin123", "changeit", "changeme", "default", "example", "letmein", "minioadmin", "mvpapikey123",
        "pass", "password", "placeholder", "postgres", "replaceme", "root", "secret", "test", "todo", "yourpassword",
        "yoursecret", "yourtoken", "yourtokenhere", "yourkey", "yoursecrethere", "yourpasswordhere",
    }
)  # fmt: skip
"""What stands in examples, without punctuation and in lower case: everybody's first guess."""


class Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Users."""

    registration: Annotated[
        Literal["auto", "open", "closed"],
        Meta(
            description="Who may register as a user: anybody (`open`), or only whom `colloquy users add` adds "
            "(`closed`); `auto` is open while API_HOST is loopback."
        ),
    ] = "auto"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def exposed(host: str, *, anonymous: bool, secrets: Mapping[str, str], addresses: Mapping[str, str]) -> Iterator[str]:
    """Say what must not be so while others than this machine reach the service.

    `secrets` are the secret variables that were given, by name, and `addresses` URLs that may hold a password.
    """
    if is_loopback(host):
        return
    if anonymous:
        yield f"ANONYMOUS: local lets everybody in, so API_HOST must be loopback, such as 127.0.0.1; it is {host}"
    for name, value in secrets.items():
        if not value:
            yield f"{name}: it is empty; leave it out, or give it a secret, for API_HOST={host} is open to others"
        elif _is_placeholder(value):
            yield f"{name}: that is a placeholder, which everybody knows; API_HOST={host} is open to others"
    for name, value in addresses.items():
        password = _password(value)
        if password and _is_placeholder(password):
            yield f"{name}: its password is a placeholder, which everybody knows; API_HOST={host} is open to others"


def _is_placeholder(value: str) -> bool:
    return "".join(filter(str.isalnum, value.lower())) in _PLACEHOLDERS


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None
