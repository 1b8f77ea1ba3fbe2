"""The table of learned paces."""

from sqlalchemy import Column, Float, Table, Text

from adapters.persistence.tables import metadata

paces = Table(
    "paces",
    metadata,
    Column("stage", Text, primary_key=True),
    Column("engine", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("seconds", Float(53), nullable=False),
    Column("audio", Float(53), nullable=False),
)
