"""Files on the data volume that hold an upload until it is stored; the event loop never waits for the disk."""

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from domain.errors import StorageFull
from entrypoints.http.limits import SPOOL_BATCH_BYTES

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""No space, no quota, or a file as large as this process may write."""


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull("there is no room for the recording") from error
        raise


class SpoolFile:
    """A new file with a generated name, for this process's eyes only; `discard` it, also when it was moved away.

    Every method but `discard` raises `StorageFull` when there is no room.
    """

    def __init__(self, folder: Path, *, min_free_percent: float = 0.0) -> None:
        volume = shutil.disk_usage(folder)
        if volume.free < volume.total * min_free_percent / 100:
            raise StorageFull("there is hardly any room left")
        self.path = folder / secrets.token_hex(16)
        self.size = 0
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._writing: asyncio.Future[None] | None = None
        with _room():
            self._file = FileIO(self.path, "xb", opener=lambda path, flags: os.open(path, flags, 0o600))

    async def append(self, chunk: bytes) -> None:
        """Take `chunk`, and write when there is a batch."""
        self.size += len(chunk)
        self._pending.append(chunk)
        self._pending_bytes += len(chunk)
        if self._pending_bytes >= SPOOL_BATCH_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; what was appended so far is in the file afterwards."""
        batch, self._pending, self._pending_bytes = self._pending, [], 0
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, batch))
        # Whoever is cancelled here leaves the thread writing; `discard` waits for it before it closes the file.
        with _room():
            await asyncio.shield(self._writing)

    async def sha256(self) -> str:
        """Return the digest, in hexadecimal, of what was flushed."""
        return await asyncio.to_thread(self._digest)

    async def discard(self) -> None:
        """Remove the file if it is still there."""
        if self._writing is not None:
            with contextlib.suppress(OSError):
                await self._writing
        await asyncio.to_thread(self._remove)

    def _write(self, batch: list[bytes]) -> None:
        for chunk in batch:
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]

    def _digest(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _remove(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)
