"""The tables of the audit log, and the triggers that refuse to change it.

A row goes only while `audit_pruning` says so, within the transaction that does it, and never before a day has passed.
"""

from sqlalchemy import DDL, Column, Index, Table, Text, Uuid, event

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

_SQLITE = (
    """CREATE TRIGGER audit_log_unchanged BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_log_kept BEFORE DELETE ON audit_log
    WHEN NOT EXISTS (SELECT 1 FROM audit_pruning WHERE before > OLD.at)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    # INSERT OR REPLACE would delete without a trigger.
    """CREATE TRIGGER audit_log_not_replaced BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_pruning_of_old BEFORE INSERT ON audit_pruning
    WHEN NEW.before > datetime('now', '-1 day')
    BEGIN SELECT RAISE(ABORT, 'the audit log keeps what is less than a day old'); END""",
    """CREATE TRIGGER audit_pruning_unchanged BEFORE UPDATE ON audit_pruning
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
)
_POSTGRES = (
    """CREATE FUNCTION audit_log_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM audit_pruning WHERE before > OLD.at) THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the audit log is append-only';
    END $$""",
    """CREATE FUNCTION audit_pruning_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' AND NEW.before <= clock_timestamp() - interval '1 day' THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'the audit log keeps what is less than a day old';
    END $$""",
    """CREATE TRIGGER audit_log_unchanged BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_refuses()""",
    """CREATE TRIGGER audit_log_kept BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuses()""",
    """CREATE TRIGGER audit_pruning_of_old BEFORE INSERT OR UPDATE ON audit_pruning
    FOR EACH ROW EXECUTE FUNCTION audit_pruning_refuses()""",
)

for _dialect, _statements in (("sqlite", _SQLITE), ("postgresql", _POSTGRES)):
    for _statement in _statements:
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
