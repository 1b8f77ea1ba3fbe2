"""What following a task needs: how fast stages go, and whether a task moves."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "paces",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("audio", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("stage", "engine", "model", "device", name=op.f("pk_paces")),
    )
    # Processes of the release before go on writing rows while this one starts.
    op.add_column("tasks", sa.Column("stalled", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("tasks", "stalled")
    op.drop_table("paces")
