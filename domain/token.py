"""Signed tokens: what a session shows at each request, and what a caller lends to a browser."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.access import Scope
from domain.task import TaskId

LONGEST = timedelta(hours=1)
"""No token lasts longer, whoever signed it."""
_SKEW = timedelta(seconds=30)
"""By how much the clocks of two machines that share the secret may differ."""


class TokenKind(StrEnum):
    """What a token is; one kind never passes for the other."""

    SESSION = "session"
    LENT = "lent"


class Grantor(StrEnum):
    """On whose behalf a token speaks: once that is revoked, the token is worth nothing."""

    SESSION = "session"
    KEY = "key"
    LOCAL = "local"
    """Whoever needs no credential, where that is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token says. `grantor_id` is the session's or the key's id; if `task` is set, it opens that one alone."""

    id: UUID
    kind: TokenKind
    grantor: Grantor
    grantor_id: UUID
    issued_at: datetime
    expires_at: datetime
    scopes: frozenset[Scope]
    task: TaskId | None = None

    def live(self, now: datetime) -> bool:
        """Whether it is in force; one from the future, or one that lasts too long, was never issued by us."""
        return self.issued_at <= now + _SKEW and now < self.expires_at <= self.issued_at + LONGEST
