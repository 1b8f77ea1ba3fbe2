"""Pages of an owner's history: each alternative of a filter is read along an index of its own, from either end.

A page so costs its length, however long the history and however rare what is asked for; of several things that are
asked for at once only one has its index, and the others are looked at row by row.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, UnaryExpression, select, union_all

from adapters.persistence.tables import tasks
from adapters.persistence.tables_native import task_tags
from application.ports.task_filter import SKEW, TaskFilter
from domain.task import OwnerId, TaskId, TaskKind, TaskStatus

_LATEST = 2**48 - 1
"""Milliseconds that an id can tell (RFC 9562, version 7)."""
_MS = timedelta(milliseconds=1)


def page_of(owner: OwnerId, only: TaskFilter, *, before: TaskId | None, limit: int) -> Select[Any]:
    """Select the rows of a page."""
    chosen = _ids(owner, only)
    if before is not None:
        place = chosen.selected_columns[0]
        chosen = chosen.where(place > before if only.oldest_first else place < before)
    # The index of languages goes by status too: a language alone is asked for in each.
    statuses = sorted(only.statuses or (TaskStatus if only.language and not only.tags else ()))
    if len(statuses) == 1:
        chosen = chosen.where(tasks.c.status == statuses[0])
    elif statuses:
        branches = [chosen.where(tasks.c.status == status) for status in statuses]
        chosen = select(union_all(*[_first(branch, limit, only) for branch in branches]).subquery().c.id)
    ids = _first(chosen, limit, only)
    return select(tasks).where(tasks.c.id.in_(ids)).order_by(_order(tasks.c.id, only))


def newest_of(owner: OwnerId, content: str) -> Select[Any]:
    """Select the newest task of that content that is done or under way."""
    columns = tasks.c
    under_way = columns.status.in_([TaskStatus.QUEUED, TaskStatus.PROCESSING]) & ~columns.cancel_requested
    same = (columns.owner == owner) & (columns.content == content) & (columns.kind == TaskKind.TRANSCRIBE)
    alive = (columns.status == TaskStatus.DONE) | under_way
    return select(tasks).where(same, alive).order_by(columns.id.desc()).limit(1)


def _first(ids: Select[tuple[UUID]], limit: int, only: TaskFilter) -> Select[tuple[UUID]]:
    # A part of a union may have no order of its own on SQLite, but what it selects from may.
    return select(ids.order_by(_order(ids.selected_columns[0], only)).limit(limit).subquery().c.id)


def _order(place: ColumnElement[UUID], only: TaskFilter) -> UnaryExpression[UUID]:
    return place.asc() if only.oldest_first else place.desc()


def _ids(owner: OwnerId, only: TaskFilter) -> Select[tuple[UUID]]:
    asked = _conditions(only)
    if not only.tags:
        return select(tasks.c.id).where(tasks.c.owner == owner, *asked)
    first, *others = (task_tags.alias() for _ in only.tags)
    tagged = select(first.c.task_id.label("id")).where(first.c.owner == owner, first.c.tag == only.tags[0])
    for other, tag in zip(others, only.tags[1:], strict=True):
        same = (other.c.task_id == first.c.task_id) & (other.c.owner == owner) & (other.c.tag == tag)
        tagged = tagged.join(other, same)
    return tagged.join(tasks, tasks.c.id == first.c.task_id).where(*asked) if asked or only.statuses else tagged


def _conditions(only: TaskFilter) -> list[ColumnElement[bool]]:
    """Return what a filter asks of a row of `tasks`, without its statuses and its tags."""
    columns = tasks.c
    asked: list[ColumnElement[bool]] = []
    if only.language is not None:
        asked.append(columns.spoken == only.language)
    if only.batch is not None:
        asked.append(columns.batch == only.batch)
    if only.created_after is not None:
        asked += [columns.created_at > only.created_after, columns.id >= _id_at(only.created_after, -SKEW)]
    if only.created_before is not None:
        asked += [columns.created_at < only.created_before, columns.id < _id_at(only.created_before, SKEW)]
    return asked


def also_asked(only: TaskFilter) -> list[ColumnElement[bool]]:
    """Return all that a filter asks of a row of `tasks`, for a search that has an order of its own."""
    asked = _conditions(only)
    if only.statuses:
        asked.append(tasks.c.status.in_(sorted(only.statuses)))
    return [*asked, *[_tagged(tag) for tag in only.tags]]


def _tagged(tag: str) -> ColumnElement[bool]:
    own = (task_tags.c.owner == tasks.c.owner) & (task_tags.c.tag == tag) & (task_tags.c.task_id == tasks.c.id)
    return select(task_tags.c.task_id).where(own).correlate(tasks).exists()


def _id_at(instant: datetime, skew: timedelta) -> UUID:
    """Return a bound of the ids that were made at an instant."""
    since = (instant - datetime.fromtimestamp(0, instant.tzinfo)) // _MS + skew // _MS
    return UUID(int=min(max(since, 0), _LATEST) << 80)
