"""The ports to users and to their sessions."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.access import SessionId, UserId
from domain.user import Session, User


class UserRepository(Protocol):
    """Stores users, as part of a unit of work."""

    @abstractmethod
    async def add(self, user: User) -> bool:
        """Store a new user; False, and nothing is stored, if the address has one: of several at once, one is stored."""

    @abstractmethod
    async def by_email(self, email: str) -> User | None:
        """Return the user of the address, as `normal_email` writes it, or None."""

    @abstractmethod
    async def get(self, user_id: UserId, *, hold: bool = False) -> User | None:
        """Return the user, or None; with `hold`, whoever else would change the user waits for this unit."""

    @abstractmethod
    async def set_password(self, user_id: UserId, password: str) -> None:
        """Replace the hash of the password."""


class SessionRepository(Protocol):
    """Stores sessions, as part of a unit of work."""

    @abstractmethod
    async def add(self, session: Session) -> None:
        """Store a new session."""

    @abstractmethod
    async def get(self, session_id: SessionId) -> Session | None:
        """Return the session, revoked and expired or not, or None."""

    @abstractmethod
    async def revoke(self, session_id: SessionId, *, at: datetime) -> None:
        """Revoke the session; one that is revoked, or does not exist, is no error."""

    @abstractmethod
    async def revoke_all(self, user_id: UserId, *, at: datetime) -> None:
        """Revoke all sessions of the user."""

    @abstractmethod
    async def forget_expired(self, *, by: datetime) -> None:
        """Remove the sessions that had expired by then."""
