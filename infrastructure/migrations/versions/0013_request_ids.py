"""Which request a task comes from, so that what is done for it anywhere goes by that name."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    # Processes of the release before go on writing rows while this one starts.
    op.add_column("tasks", sa.Column("request_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("tasks", sa.Column("traceparent", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("tasks", "traceparent")
    op.drop_column("tasks", "request_id")
