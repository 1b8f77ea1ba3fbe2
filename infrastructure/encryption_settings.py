"""What can be configured about encrypting recordings and transcripts where they are stored."""

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct

_KEY_BYTES = 32
_KEY = r"[A-Za-z0-9+/]{43}="


class Encryption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Off while no key is given; once something is stored encrypted, nothing starts without its key."""

    keys: Annotated[
        str,
        Meta(
            pattern=rf"^({_KEY}([,\s]+{_KEY})*)?$",
            description="Keys under which recordings and transcripts are encrypted at rest, separated by commas: 32 "
            "random bytes in base64 each, the first in use, the others for reading what was encrypted before. Empty is "
            "off.",
            extra={"secret": True},
        ),
    ] = ""
    # Whoever switches it on has recordings from before; whoever starts with it has none, and can be stricter.
    plain: Annotated[
        Literal["read", "refuse"],
        Meta(description="What becomes of stored recordings and transcripts that are not encrypted."),
    ] = "read"

    @property
    def on(self) -> bool:
        """Whether what is stored is encrypted."""
        return bool(self.keys)

    def operator_keys(self) -> list[bytes]:
        """Return the keys, the one in use first; none if it is off.

        Raises:
            ValueError: one is none.
        """
        return [_decoded(text) for text in self.keys.replace(",", " ").split()]

    def problems(self, *, public_url: str) -> Iterator[str]:
        """Say what is wrong, or contradicts the address `public_url` at which clients reach the store themselves."""
        if self.on and public_url:
            yield "S3_PUBLIC_URL: clients could not read what is encrypted, and would upload what is not; leave it out"
        if self.plain == "refuse" and not self.on:
            yield "ENCRYPTION_PLAIN: refuse needs ENCRYPTION_KEYS, for without them nothing is encrypted"
        try:
            if len(set(keys := self.operator_keys())) < len(keys):
                yield "ENCRYPTION_KEYS: the same key stands there twice"
        except ValueError as error:
            yield f"ENCRYPTION_KEYS: {error}"


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError("a key is 32 random bytes in base64: `openssl rand -base64 32` makes one")
    if len(set(key)) < _KEY_BYTES // 4:
        raise ValueError("that key is not random: `openssl rand -base64 32` makes one that is")
    return key
