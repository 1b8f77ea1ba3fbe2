"""Who may do what: API keys, random, shown once, stored only as a digest, and the callers behind them."""

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from domain.task import OwnerId, TaskId

KeyId = NewType("KeyId", UUID)
UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)


class Scope(StrEnum):
    """What a credential is good for. Whatever it is, it reaches only what belongs to its own owner."""

    READ = "read"
    """Look at anything."""
    WRITE = "write"
    """Hand in, change and delete anything but credentials."""
    ADMIN = "admin"
    """Issue, change and revoke the owner's keys."""


ALL_SCOPES = frozenset(Scope)

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
    """A key as it is kept; `hint` is its first characters, to tell keys apart in a list.

    `priority` is that of the tasks that are submitted under it: whoever issues the key decides, not who uses it.
    """

    id: KeyId
    owner: OwnerId
    name: str
    digest: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    priority: int = 0
    scopes: frozenset[Scope] = ALL_SCOPES
    expires_at: datetime | None = None
    replaced_by: KeyId | None = None

    def opens(self, secret: str) -> bool:
        """Whether `secret` is this key's; compared in constant time."""
        return hmac.compare_digest(self.digest, digest(secret))

    def live(self, now: datetime) -> bool:
        """Whether the key lets anybody in: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a request: the owner of all that it creates.

    Either `key` is set, or `user` and `session`, or none of them, for whoever needs no credential.
    `lent` is a caller with a token that somebody passed on, to a browser say; it may be for one `task` alone.
    """

    owner: OwnerId
    key: KeyId | None = None
    priority: int = 0
    user: UserId | None = None
    scopes: frozenset[Scope] = ALL_SCOPES
    session: SessionId | None = None
    lent: bool = False
    task: TaskId | None = None

    @property
    def name(self) -> str:
        """The caller in a line of the log."""
        return str(self.key or self.user or "local")

    @property
    def actor(self) -> str:
        """The caller in the audit log."""
        return f"key:{self.key}" if self.key else f"user:{self.user}" if self.user else "local"
