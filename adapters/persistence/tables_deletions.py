"""The tables of what is removed: tombstones, and when each chore is due; what is kept for a time stands with the tasks.

Nothing here refers to a task that still exists.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, Uuid

from adapters.persistence.tables import UtcDateTime, metadata, tasks

deletions = Table(
    "deletions",
    metadata,
    Column("task_id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    Column("media_key", Text, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime, nullable=False),
    Column("recordings", Integer),
    Column("transcripts", Integer),
    Column("bytes", BigInteger),
    Column("shared", Boolean),
    Column("completed_at", UtcDateTime),
    Column("kind", Text, nullable=False, server_default="task"),
)
Index("ix_deletions_page", deletions.c.owner, deletions.c.task_id)
_unfinished = deletions.c.completed_at.is_(None)
Index("ix_deletions_unfinished", deletions.c.requested_at, sqlite_where=_unfinished, postgresql_where=_unfinished)

chores = Table(
    "chores",
    metadata,
    Column("name", Text, primary_key=True),
    Column("due_at", UtcDateTime, nullable=False),
)

_media = tasks.c.keep_media_s.is_not(None) & tasks.c.media_purged_at.is_(None) & tasks.c.finished_at.is_not(None)
Index("ix_tasks_keep_media", tasks.c.keep_media_s, tasks.c.finished_at, sqlite_where=_media, postgresql_where=_media)
_transcript = tasks.c.keep_transcript_s.is_not(None) & tasks.c.finished_at.is_not(None)
Index(
    "ix_tasks_keep_transcript", tasks.c.keep_transcript_s, tasks.c.finished_at, sqlite_where=_transcript,
    postgresql_where=_transcript,
)  # fmt: skip
