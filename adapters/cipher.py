"""Encrypting what is stored, with AES-256-GCM; the key is asked for when it is first needed, and kept."""

import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from application.ports.webhooks import Cipher
from domain.errors import NotConfigured

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE = 12


class AesGcmCipher(Cipher):
    """A version, a random nonce, and what AES-GCM makes; the context is authenticated with it.

    `key` gives 32 bytes, or raises `NotConfigured`.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    @cached_property
    def _aead(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._key())

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._aead.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt."""
        from cryptography.exceptions import InvalidTag

        version, nonce, made = sealed[:1], sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        trouble: Exception | None = None
        try:
            if version == _VERSION:
                return self._aead.decrypt(nonce, made, context.encode())
        except (InvalidTag, ValueError) as error:
            trouble = error
        raise NotConfigured("a stored secret was encrypted under another INSTALLATION_SECRET") from trouble
