"""What many workers need: kinds of tasks, priorities, retention."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


# Processes of the release before go on writing rows while this one starts: whatever they leave out has a default.
def _task_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("kind", sa.Text(), nullable=False, server_default="transcribe"),
        sa.Column("parent", sa.Uuid()),
        sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("media_key", sa.Text()),
        sa.Column("keep_media_s", sa.BigInteger()),
        sa.Column("keep_transcript_s", sa.BigInteger()),
        sa.Column("media_purged_at", sa.DateTime(timezone=True)),
        sa.Column("quarantined", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("attempts", sa.Text(), nullable=False, server_default="[]"),
    )


def upgrade() -> None:
    for column in _task_columns():
        op.add_column("tasks", column)
    op.create_index("ix_tasks_media_key", "tasks", ["media_key"])
    op.create_index("ix_tasks_parent", "tasks", ["parent"])
    _add_queue()
    _add_uploads()
    _create_revisions()
    _add_deletions()


def _add_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_owner", "uploads", ["owner"])
    op.create_index("ix_uploads_expires", "uploads", ["expires_at"])


def _add_queue() -> None:
    queued, line = sa.text("status = 'queued'"), ["priority", "owner", "run_after", "id"]
    op.create_index("ix_tasks_queued", "tasks", line, sqlite_where=queued, postgresql_where=queued)
    op.drop_index("ix_tasks_due", "tasks")
    leased = sa.text("lease_until IS NOT NULL")
    op.create_index("ix_tasks_running", "tasks", ["priority", "owner"], sqlite_where=leased, postgresql_where=leased)
    op.add_column("api_keys", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "turns",
        sa.Column("priority", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("priority", "owner", name=op.f("pk_turns")),
    )
    op.create_index("ix_turns_served", "turns", ["priority", "served_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_idempotency_keys_task_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner", "scope", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_task", "idempotency_keys", ["task_id"])
    op.create_index("ix_idempotency_keys_age", "idempotency_keys", ["created_at"])


def _drop_queue() -> None:
    op.drop_table("idempotency_keys")
    op.drop_table("turns")
    op.drop_column("api_keys", "priority")
    op.drop_index("ix_tasks_running", "tasks")
    op.create_index("ix_tasks_due", "tasks", ["status", "run_after", "id"])
    op.drop_index("ix_tasks_queued", "tasks")


def _create_revisions() -> None:
    op.create_table(
        "revisions",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("stages", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_revisions_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "number", name=op.f("pk_revisions")),
    )
    op.create_table(
        "edits",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_edits_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "seq", name=op.f("pk_edits")),
    )
    op.create_table(
        "transcript_texts",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_transcript_texts_task_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "part", name=op.f("pk_transcript_texts")),
    )
    op.create_index(
        "ix_transcript_texts_terms",
        "transcript_texts",
        ["terms"],
        postgresql_using="gin",
        sqlite_where=sa.text("terms IS NULL"),
    )


def _add_deletions() -> None:
    op.create_table(
        "deletions",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("media_key", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recordings", sa.Integer()),
        sa.Column("transcripts", sa.Integer()),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("shared", sa.Boolean()),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_deletions")),
    )
    op.create_index("ix_deletions_page", "deletions", ["owner", "task_id"])
    unfinished = sa.text("completed_at IS NULL")
    op.create_index(
        "ix_deletions_unfinished", "deletions", ["requested_at"], sqlite_where=unfinished, postgresql_where=unfinished
    )
    op.create_table(
        "chores",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chores")),
    )
    for name, kept in (
        ("media", "keep_media_s IS NOT NULL AND media_purged_at IS NULL AND finished_at IS NOT NULL"),
        ("transcript", "keep_transcript_s IS NOT NULL AND finished_at IS NOT NULL"),
    ):
        op.create_index(
            f"ix_tasks_keep_{name}", "tasks", [f"keep_{name}_s", "finished_at"], sqlite_where=sa.text(kept),
            postgresql_where=sa.text(kept),
        )  # fmt: skip


def _drop_deletions() -> None:
    op.drop_index("ix_tasks_keep_transcript", "tasks")
    op.drop_index("ix_tasks_keep_media", "tasks")
    op.drop_table("chores")
    op.drop_table("deletions")


def downgrade() -> None:
    _drop_deletions()
    op.drop_table("uploads")
    for table in ("transcript_texts", "edits", "revisions"):
        op.drop_table(table)
    _drop_queue()
    op.drop_index("ix_tasks_parent", "tasks")
    op.drop_index("ix_tasks_media_key", "tasks")
    for column in reversed(_task_columns()):
        op.drop_column("tasks", column.name)
