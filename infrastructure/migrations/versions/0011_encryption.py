"""Encryption at rest: the keys under which the keys of blobs are wrapped, themselves wrapped under ENCRYPTION_KEYS."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "vault_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("under", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vault_keys")),
    )
    op.create_index("ix_vault_keys_number", "vault_keys", ["number"], unique=True)


def downgrade() -> None:
    op.drop_table("vault_keys")
