"""The ports to the keys of what is encrypted at rest: where they lie, wrapped, and who can unwrap and use them.

Each blob has a random key of its own, wrapped under a vault key. The few vault keys are wrapped in turn under a key
that the installation's operator holds: whoever changes that one rewrites a few rows, and no blob.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A vault key that only the operator's key of the id `under` unwraps; the one of the highest number is in use."""

    id: UUID
    number: int
    under: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class VaultKey:
    """32 bytes under which others are wrapped."""

    id: UUID
    secret: bytes

    def __repr__(self) -> str:
        """Show no secret."""
        return f"VaultKey({self.id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultState:
    """Under which operator's key new vault keys are wrapped, and which wraps each of those there are, by number."""

    current: str
    under: Sequence[str]

    @property
    def outdated(self) -> int:
        """How many are wrapped under another key than the current one."""
        return sum(each != self.current for each in self.under)


class VaultKeyRepository(Protocol):
    """Stores wrapped vault keys, as part of a unit of work; none is ever removed."""

    @abstractmethod
    async def all(self) -> Sequence[WrappedKey]:
        """Return every one, by number upwards."""

    @abstractmethod
    async def add(self, key: WrappedKey) -> bool:
        """Store a new one; say whether the number was free, and change nothing if it was not."""

    @abstractmethod
    async def rewrap(self, key: WrappedKey) -> None:
        """Store that an existing one is wrapped under another key from now on."""


class KeyUnknown(Exception):
    """Something was encrypted under a vault key that this process has not read yet, or that exists no more."""


class Vault(Protocol):
    """Gives vault keys, which it keeps in memory once it has read them."""

    @abstractmethod
    async def open(self) -> None:
        """Read the keys, and make the first one if there is none; safe at every start, from any process.

        Raises:
            NotConfigured: one is wrapped under a key that the operator has not given.
        """

    @abstractmethod
    async def current(self) -> VaultKey:
        """Return the key under which to wrap what is new; it opens the vault if need be, and raises as `open`."""

    @abstractmethod
    async def key(self, key_id: UUID) -> VaultKey:
        """Return a key by its id, after another look at what is stored if it is not known; opens, raises as `current`.

        Raises:
            KeyUnknown: there is none.
        """

    @abstractmethod
    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt something small that only `context` opens again; the vault must be open."""

    @abstractmethod
    def unseal(self, stored: bytes, *, context: str) -> bytes:
        """Return what was sealed, or `stored` itself if it was not.

        Raises:
            KeyUnknown: `learn` what is stored, and try again.
            NotConfigured: it was changed, or sealed in another context.
        """

    @abstractmethod
    def learn(self, keys: Sequence[WrappedKey]) -> None:
        """Take these for what is stored; raises as `open`."""

    @abstractmethod
    async def rotate(self) -> VaultState:
        """Wrap every vault key under the operator's current key, and add one for what is new, if any was not.

        It happens at once or not at all; whoever works meanwhile goes on with what it has read.
        """

    @abstractmethod
    async def state(self) -> VaultState:
        """Say what is stored; it changes nothing, and no key needs to be known for it."""
