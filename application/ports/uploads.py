"""The port to uploads that wait for their task."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.task import OwnerId
from domain.upload import Upload, UploadId


class UploadRepository(Protocol):
    """Stores uploads, as part of a unit of work."""

    @abstractmethod
    async def add(self, upload: Upload) -> None:
        """Store a new upload."""

    @abstractmethod
    async def get(self, upload_id: UploadId) -> Upload | None:
        """Return the upload, or None."""

    @abstractmethod
    async def note(self, upload_id: UploadId, *, sha256: str) -> None:
        """Note what the content was found to be; an upload that does not exist is no error."""

    @abstractmethod
    async def remove(self, upload_id: UploadId) -> bool:
        """Remove the upload; say whether it was there: of several who remove it at once, one is told so."""

    @abstractmethod
    async def count(self, owner: OwnerId) -> int:
        """How many of the owner's uploads wait."""

    @abstractmethod
    async def expired(self, *, by: datetime, limit: int) -> Sequence[UploadId]:
        """Return uploads that had expired by then, the oldest first."""
