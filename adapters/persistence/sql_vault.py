"""Wrapped vault keys in their table."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import CursorResult, LargeBinary, Uuid, bindparam, select, text

from adapters.persistence.tables import UtcDateTime, database_now
from adapters.persistence.tables_vault import vault_keys
from application.ports.vault import VaultKeyRepository, WrappedKey

Run = Callable[..., Awaitable[CursorResult[Any]]]

_ADD = text(
    "INSERT INTO vault_keys (id, number, under, wrapped, created_at)"
    " VALUES (:id, :number, :under, :wrapped, :created_at) ON CONFLICT (number) DO NOTHING"
).bindparams(
    bindparam("id", type_=Uuid), bindparam("wrapped", type_=LargeBinary), bindparam("created_at", type_=UtcDateTime)
)


class SqlVaultKeys(VaultKeyRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def all(self) -> Sequence[WrappedKey]:
        """Return every key."""
        rows = await self._run(select(vault_keys).order_by(vault_keys.c.number))
        return [WrappedKey(id=row.id, number=row.number, under=row.under, wrapped=row.wrapped) for row in rows]

    async def add(self, key: WrappedKey) -> bool:
        """Store a key, unless its number is taken."""
        now = (await self._run(select(database_now()))).scalar_one()
        return (await self._run(_ADD, asdict(key) | {"created_at": now})).rowcount == 1

    async def rewrap(self, key: WrappedKey) -> None:
        """Store what it is wrapped in."""
        values = {"under": key.under, "wrapped": key.wrapped}
        await self._run(vault_keys.update().where(vault_keys.c.id == key.id).values(values))
