"""The table of uploads that come in pieces."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid

from adapters.persistence.tables import UtcDateTime, metadata

resumable_uploads = Table(
    "resumable_uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("filename", Text, nullable=False),
    Column("length", BigInteger),
    Column("metadata", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("completed_at", UtcDateTime),
)
Index("ix_resumable_uploads_owner", resumable_uploads.c.owner)
Index("ix_resumable_uploads_expires", resumable_uploads.c.expires_at)
