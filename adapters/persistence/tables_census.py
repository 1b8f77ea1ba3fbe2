"""The table of what is counted beside the facts, and the index by which tasks are."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from adapters.persistence.tables import metadata, tasks

# A count is the sum of its shards: writers of different ones do not wait for each other.
counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
Index("ix_tasks_by_status", tasks.c.status)
