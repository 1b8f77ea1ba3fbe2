"""Wrapped vault keys in memory; they are values, which nobody can change in place."""

from collections.abc import Sequence
from uuid import UUID

from application.ports.vault import VaultKeyRepository, WrappedKey


class MemoryVaultKeys(VaultKeyRepository):
    """Keeps them in `rows`, somebody's copy of what is stored."""

    def __init__(self, rows: dict[UUID, WrappedKey]) -> None:
        self._rows = rows

    async def all(self) -> Sequence[WrappedKey]:
        """Return every key."""
        return sorted(self._rows.values(), key=lambda key: key.number)

    async def add(self, key: WrappedKey) -> bool:
        """Store a key, unless its number is taken."""
        free = all(key.number != each.number for each in self._rows.values())
        if free:
            self._rows[key.id] = key
        return free

    async def rewrap(self, key: WrappedKey) -> None:
        """Store what it is wrapped in."""
        if key.id in self._rows:
            self._rows[key.id] = key
