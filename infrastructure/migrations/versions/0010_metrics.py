"""What metrics need: counts that no restart and no deletion takes back, and an index by which tasks are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", "shard", name=op.f("pk_counters")),
    )
    op.create_index("ix_tasks_by_status", "tasks", ["status"])


def downgrade() -> None:
    op.drop_index("ix_tasks_by_status", table_name="tasks")
    op.drop_table("counters")
