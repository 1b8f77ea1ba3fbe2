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
)
Index("ix_tasks_page", tasks.c.owner, tasks.c.id)
Index("ix_tasks_due", tasks.c.status, tasks.c.run_after, tasks.c.id)
_leased = tasks.c.lease_until.is_not(None)
Index("ix_tasks_leased", tasks.c.lease_until, sqlite_where=_leased, postgresql_where=_leased)

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
)
Index("ix_api_keys_digest", api_keys.c.digest, unique=True)
