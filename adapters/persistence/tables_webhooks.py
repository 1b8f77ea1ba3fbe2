"""The tables of webhooks: endpoints, and the deliveries to them, which are the outbox."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, Uuid

from adapters.persistence.tables import UtcDateTime, metadata, tasks

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE")),
    Column("sealed_url", LargeBinary, nullable=False),
    Column("shown_url", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    Column("disabled_reason", Text, nullable=False),
    Column("paused_until", UtcDateTime),
    Column("version", BigInteger, nullable=False),
)
Index("ix_webhooks_owner", webhooks.c.owner, webhooks.c.id)
Index("ix_webhooks_task", webhooks.c.task_id)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("webhook_id", ForeignKey(webhooks.c.id, ondelete="CASCADE"), nullable=False),
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE")),
    Column("event", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("attempts", Text, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("version", BigInteger, nullable=False),
)
_pending = deliveries.c.state == "pending"
Index("ix_deliveries_due", deliveries.c.next_at, sqlite_where=_pending, postgresql_where=_pending)
Index("ix_deliveries_log", deliveries.c.webhook_id, deliveries.c.created_at, deliveries.c.id)
Index("ix_deliveries_task", deliveries.c.task_id)
Index("ix_deliveries_age", deliveries.c.created_at)
