"""The port to bytes at rest: recordings and transcripts."""

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from domain.errors import StorageUnavailable


class BlobNotFound(Exception):
    """There is no blob under that key."""


class BlobDamaged(StorageUnavailable):
    """What is stored under the key is not what was put there: it was changed, cut off, or is another blob's."""

    def __init__(self, key: str, *, code: str | None = None) -> None:
        """Name the blob to whoever reads the log; `code` is for pickling alone."""
        super().__init__("what is stored is not what was put there", code=code)
        self.add_note(f"blob {key}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """A stored blob: size in bytes, SHA-256 of its content in hexadecimal."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobStat:
    """What a store knows of a blob without reading it: size in bytes, and a mark that changes with the content."""

    size: int
    etag: str


class BlobStore(Protocol):
    """Stores bytes under keys such as `media/<id>`: relative paths of letters, digits, `-`, `_`, `.` and `/`.

    No part of a key is empty or starts with a dot. Every method raises ValueError for a key that is not one.
    """

    @abstractmethod
    async def prepare(self) -> None:
        """Make what must be there before the first blob; safe at every start, from any process."""

    @abstractmethod
    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        """Store the chunks; whole and durable when this returns, invisible until then, replacing an older blob.

        If `chunks` raises, nothing is stored and the error is passed on.

        Raises:
            StorageFull: there is no room; nothing is stored.
        """

    @abstractmethod
    async def adopt(self, key: str, source: Path) -> BlobInfo:
        """Take over a finished local file, as `put` would; `source` is gone when this returns.

        It is moved where that is possible, which spares a second write, and copied else. After an error it is still
        there.

        Raises:
            StorageFull: there is no room; nothing is stored.
        """

    @abstractmethod
    def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream a blob's content in chunks of bounded size, from byte `start` up to, not including, byte `end`.

        A range may reach beyond the blob: what is not there is left out.

        Raises:
            BlobNotFound: on the first chunk, if there is none.
        """

    @abstractmethod
    async def stat(self, key: str) -> BlobStat | None:
        """Say what is stored under the key, None if nothing is."""

    @abstractmethod
    async def copy(self, source: str, key: str) -> BlobStat:
        """Store the blob `source` under `key` too, replacing what is there.

        Its bytes do not pass through here, unless they are encrypted for their name.

        From then on the two are independent: replacing or deleting one leaves the other as it is.

        Raises:
            BlobNotFound: there is no `source`.
            StorageFull: there is no room.
        """

    @abstractmethod
    async def fetch(self, key: str, into: Path) -> Path:
        """Make the blob available as a local file: written to `into`, or where it already is, to be read only.

        Raises:
            BlobNotFound: there is none.
            StorageFull: there is no room at `into`.
        """

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove the blob; one that does not exist is no error."""

    @abstractmethod
    def list(self, prefix: str) -> AsyncIterator[str]:
        """Give the keys that start with `prefix`, sorted."""

    @abstractmethod
    async def sweep_partial(self, older_than: timedelta) -> int:
        """Remove what crashes left half written and untouched for so long; return how many blobs that were."""
