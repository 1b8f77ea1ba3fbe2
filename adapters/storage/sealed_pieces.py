"""Content on its way through encryption, a megabyte at a time; what encrypts and writes runs in threads."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from io import FileIO
from typing import cast

from adapters.storage.room import room
from adapters.storage.sealed_stream import CHUNK, Chunks
from adapters.uninterrupted import uninterrupted
from application.ports.blobs import BlobInfo

BATCH = 16 * CHUNK
"""Bytes that are worth a hop to a thread and back."""


class Source:
    """Plain content that is hashed and encrypted, batch by batch; the one that is not full is the last."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0

    def seal(self, chunks: Chunks, batch: bytes) -> bytes:
        """Encrypt the next batch."""
        first = self._size // CHUNK
        self._hash.update(batch)
        self._size += len(batch)
        return chunks.seal(batch, first, last=len(batch) < BATCH)

    def info(self, key: str) -> BlobInfo:
        """Say what was encrypted."""
        return BlobInfo(key=key, size=self._size, sha256=self._hash.hexdigest())


async def batches(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Give full batches, then one that is not full."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        while len(held) >= BATCH:
            yield bytes(held[:BATCH])
            del held[:BATCH]
    yield bytes(held)


async def pieces(file: FileIO) -> AsyncGenerator[bytes, None]:
    """Give a file's content."""
    while piece := await uninterrupted(asyncio.to_thread(file.read, BATCH)):
        yield piece


def generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Take the iterator for the generator that it is in every store, so that it can be closed."""
    return cast("AsyncGenerator[bytes, None]", chunks)


def joined(chunks: Chunks, stored: bytearray, first: int, *, last: bool) -> bytes:
    """Decrypt chunks; computing."""
    return b"".join(chunks.open(stored, first, last=last))


def written(file: FileIO, chunk: bytes) -> None:
    """Write all of it; blocking.

    Raises:
        StorageFull: there is no room.
    """
    rest = memoryview(chunk)
    with room():
        while rest:
            rest = rest[file.write(rest) :]
