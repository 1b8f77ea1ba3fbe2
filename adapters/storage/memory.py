"""Blobs in memory, for tests and trials; what a process keeps here dies with it."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from datetime import timedelta
from pathlib import Path

from adapters.storage.keys import checked, folder_of
from adapters.storage.room import room
from application.ports.blobs import BlobInfo, BlobNotFound, BlobStat, BlobStore

_CHUNK = 256 * 1024


class MemoryBlobStore(BlobStore):
    """Keeps each blob as one bytes object."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    async def prepare(self) -> None:
        """Nothing is needed."""

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        """Store the chunks."""
        checked(key)
        return self._keep(key, b"".join([bytes(chunk) async for chunk in chunks]))

    async def adopt(self, key: str, source: Path) -> BlobInfo:
        """Read the file and remove it."""
        checked(key)
        info = self._keep(key, await asyncio.to_thread(source.read_bytes))
        await asyncio.to_thread(source.unlink)
        return info

    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Give the blob in chunks."""
        content = self._found(key)[start:end]
        for place in range(0, len(content), _CHUNK):
            yield content[place : place + _CHUNK]

    async def stat(self, key: str) -> BlobStat | None:
        """Measure and hash the blob."""
        content = self._blobs.get(checked(key))
        return None if content is None else BlobStat(size=len(content), etag=hashlib.sha256(content).hexdigest())

    async def copy(self, source: str, key: str) -> BlobStat:
        """Keep the same bytes under another key."""
        info = self._keep(checked(key), self._found(source))
        return BlobStat(size=info.size, etag=info.sha256)

    async def fetch(self, key: str, into: Path) -> Path:
        """Write the blob to `into`."""
        content = self._found(key)
        with room():
            await asyncio.to_thread(into.write_bytes, content)
        return into

    async def delete(self, key: str) -> None:
        """Remove the blob."""
        self._blobs.pop(checked(key), None)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Give the keys."""
        folder_of(prefix)
        for key in sorted(self._blobs):
            if key.startswith(prefix):
                yield key

    async def sweep_partial(self, older_than: timedelta) -> int:  # noqa: ARG002 - a crash leaves nothing here
        """Nothing is left behind."""
        return 0

    def _keep(self, key: str, content: bytes) -> BlobInfo:
        self._blobs[key] = content
        return BlobInfo(key=key, size=len(content), sha256=hashlib.sha256(content).hexdigest())

    def _found(self, key: str) -> bytes:
        try:
            return self._blobs[checked(key)]
        except KeyError:
            raise BlobNotFound(key) from None
