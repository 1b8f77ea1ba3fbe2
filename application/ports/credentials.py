"""The ports to what proves who somebody is: hashes of passwords, and signatures of tokens."""

from abc import abstractmethod
from typing import Protocol

from domain.token import Token


class PasswordHasher(Protocol):
    """Hashes passwords slowly; it lets only a few hashes run at once, for each takes much memory."""

    @abstractmethod
    async def hash(self, password: str) -> str:
        """Return a salted hash, different each time."""

    @abstractmethod
    async def verify(self, password: str, hashed: str | None) -> bool:
        """Whether `password` is the one of `hashed`; None is nobody's, is never right, and takes as long to tell."""


class TokenSigner(Protocol):
    """Signs tokens, and reads those that it has signed; whether one is still in force is not its matter."""

    @abstractmethod
    def sign(self, token: Token) -> str:
        """Return the token as text that goes into a header or a URL; instants are kept in whole seconds.

        Raises:
            NotConfigured: the installation lacks the secret for it.
        """

    @abstractmethod
    def read(self, text: str) -> Token | None:
        """Return what the token says, or None if it is not one that this installation has signed. It never raises."""
