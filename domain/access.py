"""API keys: random, shown once, stored only as a digest."""

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from domain.task import OwnerId

KeyId = NewType("KeyId", UUID)

PREFIX = "cq_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 36
"""Base-62 characters: 214 bits, beyond guessing, so a fast digest is enough at rest."""
_CHECKSUM_LENGTH = 6


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def new_secret() -> str:
    """Make a key: prefix, random part, and a CRC-32 of it, by which a typing error is told from a wrong key."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return f"{PREFIX}{body}{_base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)}"


def well_formed(secret: str) -> bool:
    """Whether `secret` has the shape and the checksum of a key."""
    if not secret.startswith(PREFIX) or not secret.isascii():
        return False
    body, checksum = secret[len(PREFIX) : -_CHECKSUM_LENGTH], secret[-_CHECKSUM_LENGTH:]
    return len(body) == _SECRET_LENGTH and checksum == _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def digest(secret: str) -> str:
    """Return the SHA-256 under which a key is stored and found, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept; `hint` is its first characters, to tell keys apart in a list."""

    id: KeyId
    owner: OwnerId
    name: str
    digest: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def opens(self, secret: str) -> bool:
        """Whether `secret` is this key and still valid; compared in constant time."""
        return hmac.compare_digest(self.digest, digest(secret)) and self.revoked_at is None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a request: the owner of all that it creates."""

    owner: OwnerId
    key: KeyId
