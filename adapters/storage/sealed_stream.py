"""How a blob is encrypted: a header with its own key, wrapped, then chunks that can be decrypted one by one.

The chunks are the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizar ("Online Authenticated-Encryption and
its Nonce-Reuse Misuse-Resistance", CRYPTO 2015, https://eprint.iacr.org/2015/189) over AES-256-GCM: a chunk's nonce is
its number and whether it is the last, so none can be left out, added, moved or taken from another blob. The wrapped key
is bound to the blob's name, so that no blob can be put in another's place either.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from application.ports.blobs import BlobDamaged
from application.ports.vault import VaultKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"\x93CLQBLOB\r\n\x1a\x01"
"""No format of audio or text starts so; the last byte is the version."""
CHUNK = 64 * 1024
"""Bytes of plain text in each chunk but the last."""
TAG = 16
SEALED_CHUNK = CHUNK + TAG
_ID, _NONCE, _KEY = 16, 12, 32
HEADER = len(MAGIC) + _ID + _NONCE + _KEY + TAG
LEAST = HEADER + TAG
"""Bytes that even an empty blob takes."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the chunks."""

    stored: bytes

    @classmethod
    def found(cls, start: bytes) -> "Header | None":
        """Return the header with which `start` begins, None if it is no encrypted blob's."""
        return cls(start[:HEADER]) if start.startswith(MAGIC) and len(start) >= HEADER else None

    @property
    def vault_key(self) -> UUID:
        """Under which vault key the blob's is wrapped."""
        return UUID(bytes=self.stored[len(MAGIC) : len(MAGIC) + _ID])

    def chunks(self, key: str, under: VaultKey) -> "Chunks":
        """Unwrap the key of the blob named `key`.

        Raises:
            BlobDamaged: the header was changed, or is another blob's.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        start, nonce = self.stored[: len(MAGIC) + _ID], self.stored[len(MAGIC) + _ID : -_KEY - TAG]
        try:
            secret = AESGCM(under.secret).decrypt(nonce, self.stored[-_KEY - TAG :], start + key.encode())
        except InvalidTag as error:
            raise BlobDamaged(key) from error
        return Chunks(key, AESGCM(secret))


def begun(key: str, under: VaultKey) -> tuple[bytes, "Chunks"]:
    """Return the header of a new blob named `key`, and what encrypts its chunks."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    start, nonce, secret = MAGIC + under.id.bytes, os.urandom(_NONCE), os.urandom(_KEY)
    return start + nonce + AESGCM(under.secret).encrypt(nonce, secret, start + key.encode()), Chunks(
        key, AESGCM(secret)
    )


class Chunks:
    """Encrypts and decrypts the chunks of one blob; all of it is computing."""

    def __init__(self, key: str, aead: "AESGCM") -> None:
        self._key = key
        self._aead = aead

    def seal(self, plain: bytes | bytearray, first: int, *, last: bool) -> bytes:
        """Encrypt `plain`, whole chunks from the number `first` on; with `last`, the end of the blob, of any length."""
        view = memoryview(plain)
        places = range(0, max(1, len(view)) if last else len(view), CHUNK)
        return b"".join(
            self._aead.encrypt(
                _nonce(first + number, last=last and place + CHUNK >= len(view)), view[place : place + CHUNK], None
            )
            for number, place in enumerate(places)
        )

    def open(self, stored: bytes | bytearray, first: int, *, last: bool) -> Iterator[bytes]:
        """Decrypt chunks from the number `first` on, of which the last is the blob's with `last`.

        Raises:
            BlobDamaged: they are not what was stored there.
        """
        from cryptography.exceptions import InvalidTag

        view = memoryview(stored)
        for number, place in enumerate(range(0, len(view), SEALED_CHUNK)):
            nonce = _nonce(first + number, last=last and place + SEALED_CHUNK >= len(view))
            try:
                yield self._aead.decrypt(nonce, view[place : place + SEALED_CHUNK], None)
            except (InvalidTag, ValueError) as error:
                raise BlobDamaged(self._key) from error


def plain_size(stored: int) -> int:
    """Return how many bytes are encrypted in a blob that takes so many.

    >>> plain_size(LEAST), plain_size(LEAST + CHUNK), plain_size(LEAST + CHUNK + TAG + 1)
    (0, 65536, 65537)
    """
    chunks = max(1, -(-(stored - HEADER) // SEALED_CHUNK))
    return max(0, stored - HEADER - chunks * TAG)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NONCE - 1, "big") + bytes([last])
