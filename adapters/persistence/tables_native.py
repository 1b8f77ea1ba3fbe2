"""The tables of what tasks are found by beside themselves: their tags, and the batches they came in."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, Uuid

from adapters.persistence.tables import UtcDateTime, metadata, tasks

task_tags = Table(
    "task_tags",
    metadata,
    Column("owner", Uuid, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE"), primary_key=True),
)
Index("ix_task_tags_task", task_tags.c.task_id)

batches = Table(
    "batches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("size", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("refused", Text, nullable=False),
    Column("key", Text),
    Column("fingerprint", Text, nullable=False),
)
Index("ix_batches_page", batches.c.owner, batches.c.id)
Index("ix_batches_key", batches.c.owner, batches.c.key, unique=True)
