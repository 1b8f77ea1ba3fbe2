"""Recordings by URL: where they must still be fetched from."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("fetch_url", sa.Text()))


def downgrade() -> None:
    op.drop_column("tasks", "fetch_url")
