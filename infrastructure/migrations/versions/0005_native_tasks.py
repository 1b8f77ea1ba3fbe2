"""What a task is called and found by: titles, tags, batches, the digest of its content, and their indices."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


# Processes of the release before go on writing rows while this one starts: whatever they leave out has a default.
def _task_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("title", sa.Text(), nullable=False, server_default=""),
        sa.Column("tags", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("batch", sa.Uuid()),
        sa.Column("content", sa.Text()),
        sa.Column("spoken", sa.Text()),
    )


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "tasks", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    for column in _task_columns():
        op.add_column("tasks", column)
    op.execute("UPDATE tasks SET spoken = language WHERE language IS NOT NULL")
    op.create_index("ix_tasks_status", "tasks", ["owner", "status", "id"])
    _index("ix_tasks_spoken", ["owner", "spoken", "status", "id"], "spoken IS NOT NULL")
    _index("ix_tasks_batch", ["batch", "id"], "batch IS NOT NULL")
    _index("ix_tasks_content", ["owner", "content", "id"], "content IS NOT NULL")
    op.create_table(
        "task_tags",
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_tags_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner", "tag", "task_id", name=op.f("pk_task_tags")),
    )
    op.create_index("ix_task_tags_task", "task_tags", ["task_id"])
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=False),
        sa.Column("key", sa.Text()),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index("ix_batches_page", "batches", ["owner", "id"])
    op.create_index("ix_batches_key", "batches", ["owner", "key"], unique=True)


def downgrade() -> None:
    op.drop_table("batches")
    op.drop_table("task_tags")
    for name in ("content", "batch", "spoken", "status"):
        op.drop_index(f"ix_tasks_{name}", "tasks")
    for column in reversed(_task_columns()):
        op.drop_column("tasks", column.name)
