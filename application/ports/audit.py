"""The port to the audit log: written and read, never changed."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.audit import Action, Entry, Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are asked for; None is any. `since` is included, `until` is not."""

    owner: UUID | None = None
    actor: str | None = None
    action: Action | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditRepository(Protocol):
    """Keeps facts, as part of a unit of work; nothing here changes one, and the database would refuse it."""

    @abstractmethod
    async def add(self, *facts: Fact) -> None:
        """Keep them, each at the database's time less its age."""

    @abstractmethod
    async def page(self, only: AuditFilter, *, before: UUID | None, limit: int) -> Sequence[Entry]:
        """Return up to `limit` entries that pass, the latest first, from after `before`."""

    @abstractmethod
    async def prune(self, *, before: datetime, limit: int) -> int:
        """Remove up to `limit` entries from before then, the one way in which any goes; return how many.

        Raises:
            ValueError: that is less than a day ago.
        """
