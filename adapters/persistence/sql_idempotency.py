"""The keys of requests in their table, whose primary key it is that lets one of several at once through."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Uuid, bindparam, select, text

from adapters.persistence.tables import UtcDateTime, idempotency_keys
from application.ports.idempotency import IdempotencyRepository
from domain.idempotency import Answered, RequestKey
from domain.task import TaskId

_ADD = text(
    "INSERT INTO idempotency_keys (owner, scope, key, fingerprint, task_id, created_at)"
    " VALUES (:owner, :scope, :key, :fingerprint, :task_id, :now) ON CONFLICT (owner, scope, key) DO NOTHING"
).bindparams(
    bindparam("owner", type_=Uuid), bindparam("task_id", type_=Uuid), bindparam("now", type_=UtcDateTime)
)  # fmt: skip


class SqlIdempotency(IdempotencyRepository):
    """Keys in their table."""

    def __init__(self, run: Callable[..., Awaitable[CursorResult[Any]]]) -> None:
        self._run = run

    async def add(self, key: RequestKey, answered: Answered, *, now: datetime) -> bool:
        """Store an answer, unless there is one."""
        values = {"owner": key.owner, "scope": key.scope, "key": key.key, "now": now}
        values |= {"fingerprint": answered.fingerprint, "task_id": answered.task_id}
        return (await self._run(_ADD, values)).rowcount > 0

    async def get(self, key: RequestKey) -> Answered | None:
        """Return the answer, or None."""
        row = (await self._run(select(idempotency_keys).where(_is(key)))).one_or_none()
        return None if row is None else Answered(fingerprint=row.fingerprint, task_id=TaskId(row.task_id))

    async def forget(self, *, before: datetime) -> int:
        """Remove what is older."""
        old = idempotency_keys.delete().where(idempotency_keys.c.created_at < before)
        return (await self._run(old)).rowcount


def _is(key: RequestKey) -> ColumnElement[bool]:
    columns = idempotency_keys.c
    return (columns.owner == key.owner) & (columns.scope == key.scope) & (columns.key == key.key)
