"""The tables of what owners have used, and of quotas that are not everybody's."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Uuid

from adapters.persistence.tables import UtcDateTime, metadata

usage = Table(
    "usage",
    metadata,
    Column("task_id", Uuid, primary_key=True),  # or a clip's id, which is no request
    Column("owner", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("audio_ms", BigInteger, nullable=False, server_default="0"),
    Column("requests", Integer, nullable=False, server_default="1"),
)
Index("ix_usage_owner", usage.c.owner, usage.c.at)

quotas = Table(
    "quotas",
    metadata,
    Column("owner", Uuid, primary_key=True),
    Column("requests", BigInteger),
    Column("audio_minutes", BigInteger),
    Column("bytes", BigInteger),
    Column("tasks", BigInteger),
)
