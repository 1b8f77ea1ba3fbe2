"""The audit log, and triggers that refuse to change it.

A row goes only while `audit_pruning` says so, within the transaction that does it, and never before a day has passed.
Whoever owns the tables can still drop the triggers: keep a copy elsewhere against that (`colloquy audit`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

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


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("owner", sa.Uuid()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    op.create_index("ix_audit_log_owner", "audit_log", ["owner", "id"])
    op.create_index("ix_audit_log_object", "audit_log", ["object", "id"])
    op.create_index("ix_audit_log_actor", "audit_log", ["actor", "id"])
    op.create_table(
        "audit_pruning",
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("before", name=op.f("pk_audit_pruning")),
    )
    for statement in _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("audit_log")
    op.drop_table("audit_pruning")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_log_refuses()")
        op.execute("DROP FUNCTION audit_pruning_refuses()")
