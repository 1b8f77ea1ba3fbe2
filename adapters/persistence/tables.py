"""The tables, for every SQL database alike; what is in a row and how it is read stands in `rows.py`."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    false,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, aware and in UTC on both ways; SQLite keeps no zone, so a naive one would be a guess."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a naive instant.

        Raises:
            ValueError: it has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the instant its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class database_now(FunctionElement[datetime]):  # noqa: N801 - it reads as an SQL function
    """The database's clock."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(database_now)
def _standard(*_: object, **__: object) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(database_now, "postgresql")
def _postgresql(*_: object, **__: object) -> str:
    return "clock_timestamp()"  # its CURRENT_TIMESTAMP stands still within a transaction


@compiles(database_now, "sqlite")
def _sqlite(*_: object, **__: object) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f', 'now')"  # its CURRENT_TIMESTAMP has whole seconds


metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s"})

tasks = Table(
    "tasks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("options", Text, nullable=False),
    Column("media", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("run_after", UtcDateTime, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("attempt", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("strikes", Integer, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("lease_worker", Text),
    Column("lease_token", BigInteger),
    Column("lease_until", UtcDateTime),
    Column("phase", Text, nullable=False),
    Column("phase_fraction", Float(53), nullable=False),
    Column("progress", Float(53), nullable=False),
    Column("eta_ms", BigInteger),
    Column("cancel_requested", Boolean, nullable=False),
    Column("duration", BigInteger),
    Column("language", Text),
    Column("revision", Integer, nullable=False),
    Column("processing_ms", BigInteger, nullable=False),
    Column("error", Text),
    Column("version", BigInteger, nullable=False),
    # What follows came with 0002. Each has a default, for processes of the release before write rows beside ours.
    Column("kind", Text, nullable=False, server_default="transcribe"),
    Column("parent", Uuid),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("media_key", Text),
    Column("keep_media_s", BigInteger),
    Column("keep_transcript_s", BigInteger),
    Column("media_purged_at", UtcDateTime),
    Column("quarantined", Boolean, nullable=False, server_default=false()),
    Column("attempts", Text, nullable=False, server_default="[]"),
    # And this with 0005.
    Column("title", Text, nullable=False, server_default=""),
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("batch", Uuid),
    Column("content", Text),
    Column("spoken", Text),
    Column("stalled", Boolean, nullable=False, server_default=false()),
    # And this with 0013.
    Column("request_id", Text, nullable=False, server_default=""),
    Column("traceparent", Text, nullable=False, server_default=""),
    # With 0008. It may hold secrets, so it stands in no other column, and is gone once the recording is here.
    Column("fetch_url", Text),
)
Index("ix_tasks_page", tasks.c.owner, tasks.c.id)
Index("ix_tasks_media_key", tasks.c.media_key)
Index("ix_tasks_parent", tasks.c.parent)
Index("ix_tasks_status", tasks.c.owner, tasks.c.status, tasks.c.id)
_spoken, _found = tasks.c.spoken.is_not(None), tasks.c.content.is_not(None)
_language = (tasks.c.owner, tasks.c.spoken, tasks.c.status, tasks.c.id)
Index("ix_tasks_spoken", *_language, sqlite_where=_spoken, postgresql_where=_spoken)
_content = (tasks.c.owner, tasks.c.content, tasks.c.id)
Index("ix_tasks_content", *_content, sqlite_where=_found, postgresql_where=_found)
_batched = tasks.c.batch.is_not(None)
Index("ix_tasks_batch", tasks.c.batch, tasks.c.id, sqlite_where=_batched, postgresql_where=_batched)
_queued = tasks.c.status == "queued"
_line = (tasks.c.priority, tasks.c.owner, tasks.c.run_after, tasks.c.id)
Index("ix_tasks_queued", *_line, sqlite_where=_queued, postgresql_where=_queued)
_leased = tasks.c.lease_until.is_not(None)
Index("ix_tasks_leased", tasks.c.lease_until, sqlite_where=_leased, postgresql_where=_leased)
Index("ix_tasks_running", tasks.c.priority, tasks.c.owner, sqlite_where=_leased, postgresql_where=_leased)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("priority", Integer, nullable=False, server_default="0"),
    # What follows came with 0003: a key from before may do everything.
    Column("scopes", Text, nullable=False, server_default="admin read write"),
    Column("expires_at", UtcDateTime),
    Column("replaced_by", Uuid),
)
Index("ix_api_keys_digest", api_keys.c.digest, unique=True)

turns = Table(
    "turns",
    metadata,
    Column("priority", Integer, primary_key=True, autoincrement=False),
    Column("owner", Uuid, primary_key=True),
    Column("served_at", UtcDateTime, nullable=False),
)
Index("ix_turns_served", turns.c.priority, turns.c.served_at)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", Uuid, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_idempotency_keys_task", idempotency_keys.c.task_id)
Index("ix_idempotency_keys_age", idempotency_keys.c.created_at)
