"""A recording that is handed in before its task: announced, put where it waits, and taken by one task."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType
from uuid import UUID

from domain.task import OwnerId

UploadId = NewType("UploadId", UUID)

KEPT = timedelta(hours=24)
"""How long an upload waits for its task: a large one over a slow line takes most of a night."""
INCOMING = "incoming/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What was announced: size in bytes; SHA-256 of the content in hexadecimal, empty when it is not known."""

    id: UploadId
    owner: OwnerId
    filename: str
    size: int
    sha256: str
    created_at: datetime
    expires_at: datetime

    @property
    def key(self) -> str:
        """The blob's name until a task takes it."""
        return incoming_key(self.id)


def incoming_key(upload: UploadId) -> str:
    """Name the blob that holds an upload."""
    return f"{INCOMING}{upload}"
