"""Deletions, what is kept, and chores in an SQL database; every date is reckoned here, so that no dialect has to."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    CursorResult,
    Row,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    text,
)

from adapters.persistence import tables
from adapters.persistence.tables import UtcDateTime, database_now
from adapters.persistence.tables_clips import clips
from adapters.persistence.tables_deletions import chores, deletions
from application.ports.deletions import ChoreRepository, DeletionRepository, Holding, KeepingRepository
from domain.deletion import DeletedKind, Deletion, DeletionReason, Removed
from domain.task import OwnerId, TaskId, TaskKind, TaskStatus, media_key

Run = Callable[..., Awaitable[CursorResult[Any]]]

_tasks, _chores, _deletions = tables.tasks, chores, deletions
_FINAL = [status.value for status in TaskStatus if status.final]

# The one insert that both databases write alike, and SQLAlchemy for each of them in another way.
_ADD = text(
    f"INSERT INTO deletions ({', '.join(column.name for column in _deletions.c)})"  # noqa: S608 - our own names
    f" VALUES ({', '.join(f':{column.name}' for column in _deletions.c)}) ON CONFLICT (task_id) DO NOTHING"
).bindparams(*[bindparam(column.name, type_=column.type) for column in _deletions.c])
_FIRST = text("INSERT INTO chores (name, due_at) VALUES (:name, :due_at) ON CONFLICT (name) DO NOTHING").bindparams(
    bindparam("due_at", type_=UtcDateTime)
)


def deletion_to_row(deletion: Deletion) -> dict[str, Any]:
    """Lay a deletion out in columns."""
    removed = deletion.removed
    return {
        "task_id": deletion.task_id,
        "owner": deletion.owner,
        "reason": deletion.reason.value,
        "media_key": deletion.media_key,
        "requested_at": deletion.requested_at,
        "settled_at": deletion.settled_at,
        "recordings": removed and removed.recordings,
        "transcripts": removed and removed.transcripts,
        "bytes": removed and removed.bytes,
        "shared": removed and removed.shared,
        "completed_at": deletion.completed_at,
        "kind": deletion.kind.value,
    }


def deletion_from_row(row: Row[Any]) -> Deletion:
    """Put a deletion together again."""
    return Deletion(
        task_id=row.task_id,
        owner=row.owner,
        reason=DeletionReason(row.reason),
        media_key=row.media_key,
        requested_at=row.requested_at,
        settled_at=row.settled_at,
        removed=None
        if row.bytes is None
        else Removed(recordings=row.recordings, transcripts=row.transcripts, bytes=row.bytes, shared=row.shared),
        completed_at=row.completed_at,
        kind=DeletedKind(row.kind),
    )


class SqlDeletions(DeletionRepository):
    """Tombstones in their table."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, deletion: Deletion) -> None:
        """Store a new one, unless there is one."""
        await self._run(_ADD, deletion_to_row(deletion))

    async def get(self, task_id: TaskId) -> Deletion | None:
        """Return the deletion, or None."""
        row = (await self._run(select(_deletions).where(_deletions.c.task_id == task_id))).one_or_none()
        return None if row is None else deletion_from_row(row)

    async def save(self, deletion: Deletion) -> None:
        """Store a change."""
        own = _deletions.c.task_id == deletion.task_id
        await self._run(_deletions.update().where(own).values(deletion_to_row(deletion)))

    async def page(self, owner: OwnerId, *, before: TaskId | None, limit: int) -> Sequence[Deletion]:
        """Return the owner's deletions by task id downwards."""
        key = _deletions.c.task_id
        page = select(_deletions).where(_deletions.c.owner == owner).order_by(key.desc()).limit(limit)
        return [deletion_from_row(row) for row in await self._run(page if before is None else page.where(key < before))]

    async def unfinished(self, *, limit: int) -> Sequence[TaskId]:
        """Return those that are not complete."""
        of, order = _deletions.c.completed_at.is_(None), (_deletions.c.requested_at, _deletions.c.task_id)
        found = select(_deletions.c.task_id).where(of).order_by(*order).limit(limit)
        return [TaskId(row.task_id) for row in await self._run(found)]


_other = _tasks.alias("other")
_revised_now = exists().where(
    _other.c.parent == _tasks.c.id, _other.c.kind == TaskKind.REVISE.value, _other.c.status.not_in(_FINAL)
)
_ended = _tasks.c.status.in_(_FINAL)
_borrows = _tasks.c.kind == TaskKind.REVISE.value
_holds = _tasks.c.media_purged_at.is_(None) & ~(_borrows & (_ended | _tasks.c.cancel_requested))

_holdings = select(
    _tasks.c.id,
    case((_holds & _tasks.c.fetch_url.is_(None), func.coalesce(_tasks.c.media_key, ""))).label("key"),
    case((_borrows, 0), else_=_tasks.c.revision).label("revision"),
    (_ended & ~_revised_now).label("at_rest"),
)


class SqlKeeping(KeepingRepository):
    """What must be kept, as the tasks' table says it. Rows of the release before have no `media_key`: it is their own.

    Ages are few, so what is due is looked up age by age, each from the oldest on; no row that is not due is read.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    async def holders(self, media_key: str) -> int:
        """Count the tasks, and the clip, that hold this recording."""
        held = select(func.count()).select_from(_tasks).where(_holds, _named([media_key]))
        kept = select(func.count()).select_from(clips).where(clips.c.media_key == media_key)
        return int((await self._run(held)).scalar_one()) + int((await self._run(kept)).scalar_one())

    async def revising(self, parent: TaskId) -> Sequence[TaskId]:
        """Return the tasks that revise this one."""
        found = select(_tasks.c.id).where(_tasks.c.parent == parent, _borrows).order_by(_tasks.c.id)
        return [TaskId(row.id) for row in await self._run(found)]

    async def media_due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return ended tasks that need not hold their recording any longer."""
        kept = and_(_tasks.c.keep_media_s.is_not(None), _tasks.c.media_purged_at.is_(None))
        return await self._due(_tasks.c.keep_media_s, kept, _holds & _ended, now, limit)

    async def transcripts_due(self, *, now: datetime, limit: int) -> Sequence[TaskId]:
        """Return ended tasks whose transcript's age has come."""
        kept = _tasks.c.keep_transcript_s.is_not(None)
        return await self._due(_tasks.c.keep_transcript_s, kept, _ended & ~_revised_now, now, limit)

    async def _due(
        self, age: Column[int], kept: ColumnElement[bool], ready: ColumnElement[bool], now: datetime, limit: int
    ) -> Sequence[TaskId]:
        due: list[TaskId] = []
        seconds = -1
        while len(due) < limit:
            ages = select(func.min(age)).where(kept, _tasks.c.finished_at.is_not(None), age > seconds)
            following = (await self._run(ages)).scalar_one()
            if following is None:
                break
            seconds = following
            over = _tasks.c.finished_at <= now - timedelta(seconds=seconds)
            found = select(_tasks.c.id).where(kept, age == seconds, over, ready).order_by(_tasks.c.finished_at)
            due += [TaskId(row.id) for row in await self._run(found.limit(limit - len(due)))]
        return due

    async def holdings(self, *, after: TaskId | None, limit: int) -> Sequence[Holding]:
        """Return what tasks hold, by id upwards."""
        page = _holdings.order_by(_tasks.c.id).limit(limit)
        found = await self._run(page if after is None else page.where(_tasks.c.id > after))
        return [_holding_from_row(row) for row in found]

    async def holding(self, task_ids: Collection[TaskId]) -> Sequence[Holding]:
        """Return what these tasks hold."""
        return [_holding_from_row(row) for row in await self._run(_holdings.where(_tasks.c.id.in_(task_ids)))]

    async def held(self, media_keys: Collection[str]) -> set[str]:
        """Return those of the keys whose recording some task or clip holds."""
        found = select(_tasks.c.id, _tasks.c.media_key).where(_holds, _named(media_keys))
        kept = select(clips.c.media_key).where(clips.c.media_key.in_(media_keys))
        held = {row.media_key or media_key(row.id) for row in await self._run(found)}
        return held | {row.media_key for row in await self._run(kept)}


def _holding_from_row(row: Row[Any]) -> Holding:
    return Holding(
        task_id=TaskId(row.id),
        media_key=media_key(row.id) if row.key == "" else row.key,
        revision=row.revision,
        at_rest=bool(row.at_rest),
    )


def _named(keys: Collection[str]) -> ColumnElement[bool]:
    """Whose recording has one of these keys."""
    own = [UUID(name) for key in keys if _is_id(name := key.removeprefix("media/"))]
    return or_(_tasks.c.media_key.in_(keys), _tasks.c.media_key.is_(None) & _tasks.c.id.in_(own))


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


class SqlChores(ChoreRepository):
    """Chores in their table."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def take(self, name: str, *, every: timedelta) -> bool:
        """Put the chore off to its next turn, if this one has come; whoever's UPDATE does it has the turn."""
        now = (await self._run(select(database_now()))).scalar_one()
        await self._run(_FIRST, {"name": name, "due_at": now})
        due = (_chores.c.name == name) & (_chores.c.due_at <= now)
        return (await self._run(_chores.update().where(due).values(due_at=now + every))).rowcount > 0
