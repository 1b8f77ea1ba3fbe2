"""Limits: what owners have used, and quotas that are not everybody's."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("audio_ms", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_usage")),
    )
    op.create_index("ix_usage_owner", "usage", ["owner", "at"])
    op.create_table(
        "quotas",
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("requests", sa.BigInteger()),
        sa.Column("audio_minutes", sa.BigInteger()),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("tasks", sa.BigInteger()),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_quotas")),
    )


def downgrade() -> None:
    op.drop_table("quotas")
    op.drop_table("usage")
