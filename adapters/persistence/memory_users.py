"""Users and their sessions as JSON in memory."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from msgspec import json

from application.ports.users import SessionRepository, UserRepository
from domain.access import SessionId, UserId
from domain.user import Session, User


class MemoryUsers(UserRepository):
    """Keeps them in `rows`, somebody's copy of what is stored."""

    def __init__(self, rows: dict[UUID, bytes]) -> None:
        self._rows = rows

    async def add(self, user: User) -> bool:
        """Store a user, unless the address has one."""
        if await self.by_email(user.email):
            return False
        self._rows[user.id] = json.encode(user)
        return True

    async def by_email(self, email: str) -> User | None:
        """Find a user by the address."""
        users = (json.decode(row, type=User) for row in self._rows.values())
        return next((user for user in users if user.email == email), None)

    async def get(self, user_id: UserId, *, hold: bool = False) -> User | None:  # noqa: ARG002
        """Return the user, or None; there is one unit at a time anyway."""
        row = self._rows.get(user_id)
        return None if row is None else json.decode(row, type=User)

    async def set_password(self, user_id: UserId, password: str) -> None:
        """Replace the hash."""
        if user := await self.get(user_id):
            self._rows[user_id] = json.encode(replace(user, password=password))


class MemorySessions(SessionRepository):
    """Keeps them in `rows`, somebody's copy of what is stored."""

    def __init__(self, rows: dict[UUID, bytes]) -> None:
        self._rows = rows

    async def add(self, session: Session) -> None:
        """Store a session."""
        self._rows[session.id] = json.encode(session)

    async def get(self, session_id: SessionId) -> Session | None:
        """Return the session, or None."""
        row = self._rows.get(session_id)
        return None if row is None else json.decode(row, type=Session)

    async def revoke(self, session_id: SessionId, *, at: datetime) -> None:
        """Revoke one."""
        session = await self.get(session_id)
        if session and session.revoked_at is None:
            await self.add(replace(session, revoked_at=at))

    async def revoke_all(self, user_id: UserId, *, at: datetime) -> None:
        """Revoke the user's."""
        for session in self._all():
            if session.user_id == user_id:
                await self.revoke(session.id, at=at)

    async def forget_expired(self, *, by: datetime) -> None:
        """Remove the expired."""
        for session in self._all():
            if session.expires_at <= by:
                del self._rows[session.id]

    def _all(self) -> list[Session]:
        return [json.decode(row, type=Session) for row in self._rows.values()]
