"""The table of wrapped vault keys."""

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, Uuid

from adapters.persistence.tables import UtcDateTime, metadata

vault_keys = Table(
    "vault_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("under", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_vault_keys_number", vault_keys.c.number, unique=True)
