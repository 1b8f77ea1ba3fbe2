"""Users and their sessions in their tables."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Executable, select
from sqlalchemy.dialects import postgresql, sqlite

from adapters.persistence.tables_users import sessions, users
from application.ports.users import SessionRepository, UserRepository
from domain.access import Scope, SessionId, UserId
from domain.user import Session, User

Run = Callable[[Executable], Awaitable[CursorResult[Any]]]
_ADD = {
    "postgresql": postgresql.insert(users).on_conflict_do_nothing(index_elements=["email"]).returning(users.c.id),
    "sqlite": sqlite.insert(users).on_conflict_do_nothing(index_elements=["email"]).returning(users.c.id),
}


class SqlUsers(UserRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run, dialect: str) -> None:
        self._run = run
        self._dialect = dialect

    async def add(self, user: User) -> bool:
        """Store a user; the unique index has the last word on the address."""
        return (await self._run(_ADD[self._dialect].values(asdict(user)))).one_or_none() is not None

    async def by_email(self, email: str) -> User | None:
        """Find a user by the address."""
        row = (await self._run(select(users).where(users.c.email == email))).one_or_none()
        return None if row is None else User(**row._asdict())

    async def get(self, user_id: UserId, *, hold: bool = False) -> User | None:
        """Return the user, or None; SQLite has one transaction at a time anyway."""
        query = select(users).where(users.c.id == user_id)
        row = (await self._run(query.with_for_update() if hold else query)).one_or_none()
        return None if row is None else User(**row._asdict())

    async def set_password(self, user_id: UserId, password: str) -> None:
        """Replace the hash."""
        await self._run(users.update().where(users.c.id == user_id).values(password=password))


class SqlSessions(SessionRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, session: Session) -> None:
        """Store a session."""
        await self._run(sessions.insert().values(asdict(session) | {"scopes": " ".join(sorted(session.scopes))}))

    async def get(self, session_id: SessionId) -> Session | None:
        """Return the session, or None."""
        row = (await self._run(select(sessions).where(sessions.c.id == session_id))).one_or_none()
        if row is None:
            return None
        return Session(**row._asdict() | {"scopes": frozenset(map(Scope, row.scopes.split()))})

    async def revoke(self, session_id: SessionId, *, at: datetime) -> None:
        """Revoke one."""
        live = (sessions.c.id == session_id) & sessions.c.revoked_at.is_(None)
        await self._run(sessions.update().where(live).values(revoked_at=at))

    async def revoke_all(self, user_id: UserId, *, at: datetime) -> None:
        """Revoke the user's."""
        live = (sessions.c.user_id == user_id) & sessions.c.revoked_at.is_(None)
        await self._run(sessions.update().where(live).values(revoked_at=at))

    async def forget_expired(self, *, by: datetime) -> None:
        """Remove the expired."""
        await self._run(sessions.delete().where(sessions.c.expires_at <= by))
