"""The tables of what belongs to a transcript: revisions, edits, and its text for searching; nothing of tasks."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import TSVECTOR

from adapters.persistence.tables import UtcDateTime, metadata, tasks

revisions = Table(
    "revisions",
    metadata,
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("made_by", Uuid, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("options", Text, nullable=False),
    Column("stages", Text, nullable=False),
)

edits = Table(
    "edits",
    metadata,
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
)

transcript_texts = Table(
    "transcript_texts",
    metadata,
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE"), primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    # SQLite before 3.42 leaves words that were deleted readable in a full-text index: there the terms are a text.
    Column("terms", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
)
# PostgreSQL's alone: the one of SQLite holds nothing, as there is no NULL.
_none = transcript_texts.c.terms.is_(None)
Index("ix_transcript_texts_terms", transcript_texts.c.terms, postgresql_using="gin", sqlite_where=_none)
