"""Users who log in with a password, and the sessions that a login begins."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.access import ALL_SCOPES, Scope, SessionId, UserId
from domain.errors import InvalidOptions
from domain.task import OwnerId

SESSION_LASTS = timedelta(hours=1)
"""A token that got into wrong hands is of no use for longer, and a session ends sooner when its user says so."""
LEAST_PASSWORD, MOST_PASSWORD = 8, 1_024
"""Bytes: fewer are guessed, more only make the hash work."""
_MOST_EMAIL = 254
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody with a password, of which a slow hash is kept; all that the user makes belongs to `owner`."""

    id: UserId
    owner: OwnerId
    email: str
    full_name: str
    password: str = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a login began: good for `scopes` until it expires or is revoked."""

    id: SessionId
    user_id: UserId
    owner: OwnerId
    created_at: datetime
    expires_at: datetime
    scopes: frozenset[Scope] = ALL_SCOPES
    revoked_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        """Whether the session lets anybody in."""
        return self.revoked_at is None and now < self.expires_at


def normal_email(text: str) -> str:
    """Return an address as it is kept and compared: in lower case, for hardly any mail server tells cases apart.

    Raises:
        InvalidOptions: it is no address.
    """
    email = text.strip().lower()
    if len(email) > _MOST_EMAIL or not _EMAIL.fullmatch(email):
        raise InvalidOptions("email must be an address like ann@example.org")
    return email


def check_password(password: str) -> None:
    """See to a password's length.

    Raises:
        InvalidOptions: it is too short or too long.
    """
    try:
        size = len(password.encode())
    except UnicodeEncodeError:
        size = 0
    if not LEAST_PASSWORD <= size <= MOST_PASSWORD:
        raise InvalidOptions(f"the password must have {LEAST_PASSWORD} to {MOST_PASSWORD} bytes")
