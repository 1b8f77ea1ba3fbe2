"""The ports to resumable uploads: their rows, and the files in which they grow."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from domain.resumable import ResumableUpload
from domain.task import OwnerId
from domain.upload import UploadId


class ResumableRepository(Protocol):
    """Stores resumable uploads, as part of a unit of work."""

    @abstractmethod
    async def add(self, upload: ResumableUpload) -> None:
        """Store a new one."""

    @abstractmethod
    async def get(self, upload_id: UploadId) -> ResumableUpload | None:
        """Return it, or None."""

    @abstractmethod
    async def save(self, upload: ResumableUpload) -> None:
        """Store a change; one that does not exist is no error."""

    @abstractmethod
    async def remove(self, upload_id: UploadId) -> bool:
        """Remove it; say whether it was there."""

    @abstractmethod
    async def count(self, owner: OwnerId) -> int:
        """How many of the owner's are not complete."""

    @abstractmethod
    async def expired(self, *, by: datetime, limit: int) -> Sequence[UploadId]:
        """Return those that had expired by then, the oldest first."""


class FileHeld(Exception):
    """Another process writes to the file."""


class GrowingFile(Protocol):
    """A file that nobody else writes to for as long as it is held; `size` is what it has, written or about to be."""

    path: Path
    size: int

    @abstractmethod
    async def guard(self) -> None:
        """From here on, nothing counts that is not confirmed: not after the hold, and not after a crash."""

    @abstractmethod
    async def append(self, chunk: bytes) -> None:
        """Add bytes at the end.

        Raises:
            StorageFull: there is no room.
        """

    @abstractmethod
    async def confirm(self) -> None:
        """Make everything count, and durable.

        Raises:
            StorageFull: there is no room.
        """


class GrowingFiles(Protocol):
    """Files that grow piece by piece over days, and keep what they have when a process dies."""

    @abstractmethod
    def hold(self, name: UUID) -> AbstractAsyncContextManager[GrowingFile]:
        """Hold the file, which is made if there is none; what was appended stays, unless it is guarded.

        Raises:
            FileHeld: somebody holds it, in this process or another.
            StorageFull: there is hardly any room left on the volume.
        """

    @abstractmethod
    async def size(self, name: UUID) -> int:
        """How many bytes count by now; 0 if there is no file."""

    @abstractmethod
    async def remove(self, name: UUID) -> None:
        """Remove the file; one that does not exist is no error."""

    @abstractmethod
    async def names(self) -> Sequence[UUID]:
        """Return what there is."""
