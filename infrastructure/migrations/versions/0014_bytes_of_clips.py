"""What is charged to an owner without being a task: the bytes of clips."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # Processes of the release before go on charging tasks while this one starts.
    op.add_column("usage", sa.Column("requests", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("usage", "requests")
