"""What the audit log holds: who did what to what, from where and when; never a word, a title, a name or a secret."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_network
from uuid import UUID

LEAST_KEPT = timedelta(days=1)
"""Nothing that is younger can be removed by anybody, whatever is configured."""
SYSTEM, OPERATOR, ANONYMOUS = "system", "operator", "anonymous"
"""Chores and workers; whoever uses the command line on the installation; whoever has shown nothing (yet)."""


class Action(StrEnum):
    """What was done."""

    CREATED = "created"
    READ = "read"
    EXPORTED = "exported"
    CHANGED = "changed"
    EDITED = "edited"
    CANCELLED = "cancelled"
    RETRIED = "retried"
    REVISED = "revised"
    DELETED = "deleted"
    REVOKED = "revoked"
    REPLACED = "replaced"
    LOGGED_IN = "logged_in"
    LOGIN_FAILED = "login_failed"
    LOGGED_OUT = "logged_out"
    REFUSED = "refused"
    """It belongs to somebody else, and was as if it were not there."""


class Thing(StrEnum):
    """To what it was done."""

    TASK = "task"
    TRANSCRIPT = "transcript"
    RECORDING = "recording"
    CLIP = "clip"
    BATCH = "batch"
    UPLOAD = "upload"
    KEY = "key"
    TOKEN = "token"  # noqa: S105 - a kind of thing
    WEBHOOK = "webhook"
    USER = "user"
    QUOTA = "quota"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened `age` ago. `owner` is on whose side it happened, if anybody's.

    `detail` is one word or id of ours: a format, a reason, the kind of an edit, what was made by it.
    """

    action: Action
    thing: Thing
    object: str
    actor: str
    owner: UUID | None = None
    detail: str = ""
    request_id: str = ""
    address: str = ""
    age: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A fact as it is kept; `at` is by the database's clock."""

    id: UUID
    at: datetime
    fact: Fact


def network_of(address: str) -> str:
    """Return the network that an address is in, so that it tells a place and not a person.

    >>> network_of("203.0.113.77"), network_of("2001:db8:1:2::/64"), network_of("")
    ('203.0.113.0/24', '2001:db8:1::/48', '')
    """
    if not address:
        return ""
    found = ip_network(address, strict=False)
    return str(found.supernet(new_prefix=24 if found.version == 4 else 48))  # noqa: PLR2004 - IPv4
