"""The vault: keys in the database, wrapped with AES-256-GCM under keys that only the operator has.

From each of the operator's keys two are derived: its id, which may be shown, and what wraps. Nothing here is logged.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from uuid import UUID

from application.ports.persistence import NewUnitOfWork
from application.ports.system import IdFactory
from application.ports.vault import KeyUnknown, Vault, VaultKey, VaultState, WrappedKey
from domain.errors import NotConfigured

BYTES = 32
_NONCE = 12
_SEALED = b"\x93CLQROW\x01"
"""No JSON and no text starts so: 0x93 is no first byte of a character."""
_ID_BYTES = 16


class OperatorKey:
    """One of ENCRYPTION_KEYS: 32 random bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @cached_property
    def id(self) -> str:
        """A name that tells keys apart and nothing of their bytes."""
        return self._derived(b"colloquy operator key id")[:8].hex()

    def wrap(self, secret: bytes, key_id: UUID) -> bytes:
        """Encrypt a vault key."""
        return encrypt(self._derived(b"colloquy operator key wrap"), secret, key_id.bytes)

    def unwrap(self, key: WrappedKey) -> bytes:
        """Decrypt a vault key.

        Raises:
            NotConfigured: it was changed.
        """
        return decrypt(self._derived(b"colloquy operator key wrap"), key.wrapped, key.id.bytes)

    def _derived(self, purpose: bytes) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(algorithm=SHA256(), length=BYTES, salt=None, info=purpose).derive(self._secret)


class Keyring(Vault):
    """Unwraps with any of `operator_keys`, and wraps under the first of them."""

    def __init__(self, operator_keys: Sequence[bytes], new_uow: NewUnitOfWork, ids: IdFactory) -> None:
        self._operator = {key.id: key for key in map(OperatorKey, operator_keys)}
        self._first = next(iter(self._operator.values()))
        self._new_uow = new_uow
        self._ids = ids
        self._known: dict[UUID, VaultKey] = {}
        self._current: VaultKey | None = None

    async def open(self) -> None:
        """Read the keys; of several processes that make the first one at once, one succeeds."""
        async with self._new_uow() as uow:
            stored = await uow.vault_keys.all()
        if not stored:
            async with self._new_uow() as uow:
                await uow.vault_keys.add(self._made(1))
                await uow.commit()
            async with self._new_uow() as uow:
                stored = await uow.vault_keys.all()
        self.learn(stored)

    async def current(self) -> VaultKey:
        """Return the one of the highest number that was there at the last look."""
        if self._current is None:
            await self.open()
        assert self._current is not None  # noqa: S101 - there is one in an open vault
        return self._current

    async def key(self, key_id: UUID) -> VaultKey:
        """Return a key."""
        if key_id not in self._known:
            await self.open()
        try:
            return self._known[key_id]
        except KeyError:
            raise KeyUnknown(str(key_id)) from None

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt under the vault key itself: rows are few enough for random nonces."""
        if self._current is None:
            raise NotConfigured("the vault is not open")
        return _SEALED + self._current.id.bytes + encrypt(self._current.secret, plain, context.encode())

    def unseal(self, stored: bytes, *, context: str) -> bytes:
        """Decrypt what bears the mark."""
        if not stored.startswith(_SEALED):
            return stored
        start = len(_SEALED) + _ID_BYTES
        key_id = UUID(bytes=stored[len(_SEALED) : start])
        if key_id not in self._known:
            raise KeyUnknown(str(key_id))
        return decrypt(self._known[key_id].secret, stored[start:], context.encode())

    def learn(self, keys: Sequence[WrappedKey]) -> None:
        """Unwrap what is not known yet."""
        refuse_strangers({key.under for key in keys}, set(self._operator))
        for key in keys:
            if key.id not in self._known:
                self._known[key.id] = VaultKey(key.id, self._operator[key.under].unwrap(key))
        self._current = self._known[keys[-1].id]

    async def rotate(self) -> VaultState:
        """Do it in one transaction."""
        async with self._new_uow() as uow:
            stored = await uow.vault_keys.all()
            refuse_strangers({key.under for key in stored}, set(self._operator))
            outdated = [key for key in stored if key.under != self._first.id]
            for key in outdated:
                secret = self._operator[key.under].unwrap(key)
                await uow.vault_keys.rewrap(
                    WrappedKey(
                        id=key.id, number=key.number, under=self._first.id, wrapped=self._first.wrap(secret, key.id)
                    )
                )
            if outdated:
                await uow.vault_keys.add(self._made(stored[-1].number + 1))
            await uow.commit()
        return await self.state()

    async def state(self) -> VaultState:
        """Look at the rows."""
        async with self._new_uow() as uow:
            stored = await uow.vault_keys.all()
        return VaultState(current=self._first.id, under=[key.under for key in stored])

    def _made(self, number: int) -> WrappedKey:
        made = self._ids.new()
        wrapped = self._first.wrap(os.urandom(BYTES), made)
        return WrappedKey(id=made, number=number, under=self._first.id, wrapped=wrapped)


def refuse_strangers(wanted: set[str], given: set[str]) -> None:
    """Make sure that every key by which something is wrapped is among those given.

    Raises:
        NotConfigured: it is not.
    """
    if absent := sorted(wanted - given):
        ours = f"holds {', '.join(sorted(given))}" if given else "is not set"
        raise NotConfigured(f"what is stored is encrypted under the key {', '.join(absent)}; ENCRYPTION_KEYS {ours}")


def encrypt(key: bytes, plain: bytes, context: bytes) -> bytes:
    """Return a random nonce and what AES-GCM makes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def decrypt(key: bytes, made: bytes, context: bytes) -> bytes:
    """Undo it.

    Raises:
        NotConfigured: it was made with another key or for another context, or changed since.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(made[:_NONCE], made[_NONCE:], context)
    except (InvalidTag, ValueError) as error:
        raise NotConfigured("something that is stored encrypted was changed, or is not where it was put") from error
