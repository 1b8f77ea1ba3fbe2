"""Texts of transcripts in their table: an inverted index on PostgreSQL, read through from the newest task on SQLite.

Terms come ready from the domain, so neither database's own idea of a word has a say.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, and_, cast, func, literal, select, type_coerce
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from adapters.persistence.rows import task_from_row
from adapters.persistence.sql_pages import also_asked
from adapters.persistence.sql_revisions import Run
from adapters.persistence.tables import tasks
from adapters.persistence.tables_revisions import transcript_texts
from application.ports.search import Hit, TranscriptTexts
from application.ports.task_filter import EVERYTHING, TaskFilter
from domain.search import TextPart
from domain.task import OwnerId, TaskId

_texts = transcript_texts


class SqlTranscriptTexts(TranscriptTexts):
    """Parts of texts with their terms."""

    def __init__(self, run: Run, dialect: str) -> None:
        self._run = run
        self._indexed = dialect == "postgresql"

    async def put(self, task_id: TaskId, parts: Sequence[TextPart]) -> None:
        """Replace the parts of a task."""
        await self._run(_texts.delete().where(_texts.c.task_id == task_id))
        for number, part in enumerate(parts):
            row = {"task_id": task_id, "part": number, "text": part.text, "terms": self._stored(part.terms)}
            await self._run(_texts.insert().values(row))

    async def find(
        self,
        owner: OwnerId,
        terms: Sequence[str],
        *,
        before: TaskId | None,
        limit: int,
        only: TaskFilter = EVERYTHING,
    ) -> Sequence[Hit]:
        """Find tasks that have every term somewhere, then a part with the first of them for each."""
        conditions: list[ColumnElement[bool]] = [tasks.c.owner == owner, *also_asked(only)]
        if before is not None:
            conditions.append(tasks.c.id < before)
        for term in terms:
            has = select(_texts.c.task_id).where(_texts.c.task_id == tasks.c.id, self._matches(term))
            conditions.append(has.exists())
        page = select(tasks).where(and_(*conditions)).order_by(tasks.c.id.desc()).limit(limit)
        found = [task_from_row(row) for row in await self._run(page)]
        first = (
            select(_texts.c.task_id, func.min(_texts.c.part).label("part"))
            .where(_texts.c.task_id.in_([task.id for task in found]), self._matches(terms[0]))
            .group_by(_texts.c.task_id)
            .subquery()
        )
        same = (_texts.c.task_id == first.c.task_id) & (_texts.c.part == first.c.part)
        shown = {row.task_id: row.text for row in await self._run(select(_texts).join(first, same))} if found else {}
        return [Hit(task=task, text=shown.get(task.id, "")) for task in found]

    def _stored(self, terms: Sequence[str]) -> ColumnElement[Any] | str:
        if self._indexed:
            return func.array_to_tsvector(cast(list(terms), ARRAY(Text)))
        return f" {' '.join(terms)} "

    def _matches(self, term: str) -> ColumnElement[bool]:
        if self._indexed:
            # Terms hold letters, marks and digits alone: nothing in the quotation marks can end them.
            query = cast(literal(f"'{term}':*"), TSQUERY)
            return type_coerce(_texts.c.terms, TSVECTOR).op("@@")(query)
        return func.instr(_texts.c.terms, f" {term}") > 0
