"""The tables of the audit log. Triggers, which the migration makes, refuse to change it: see there."""

from sqlalchemy import Column, Index, Table, Text, Uuid

from adapters.persistence.tables import UtcDateTime, metadata

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("action", Text, nullable=False),
    Column("thing", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("owner", Uuid),
    Column("detail", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("address", Text, nullable=False),
)
Index("ix_audit_log_at", audit_log.c.at)
Index("ix_audit_log_owner", audit_log.c.owner, audit_log.c.id)
Index("ix_audit_log_object", audit_log.c.object, audit_log.c.id)
Index("ix_audit_log_actor", audit_log.c.actor, audit_log.c.id)

audit_pruning = Table(
    "audit_pruning",
    metadata,
    Column("before", UtcDateTime, primary_key=True),
)
"""Holds a row for as long as a transaction prunes; what is older than it may then be deleted."""
