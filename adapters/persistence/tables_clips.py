"""The table of clips; each names its blob, which tasks may name too."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, Uuid

from adapters.persistence.tables import UtcDateTime, metadata

clips = Table(
    "clips",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Uuid, nullable=False),
    Column("filename", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("media_key", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("uses", Integer, nullable=False, server_default="0"),
)
Index("ix_clips_page", clips.c.owner, clips.c.id)
Index("ix_clips_media_key", clips.c.media_key)
Index("ix_clips_expires", clips.c.expires_at)
