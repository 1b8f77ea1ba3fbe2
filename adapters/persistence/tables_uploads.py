"""The table of uploads that wait for their task."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid

from adapters.persistence.tables import UtcDateTime, metadata

uploads = Table(
    "uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("filename", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)
Index("ix_uploads_owner", uploads.c.owner)
Index("ix_uploads_expires", uploads.c.expires_at)
