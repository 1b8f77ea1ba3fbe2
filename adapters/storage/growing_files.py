"""Files that grow on the volume of the blobs, one writer each, told apart from other processes by a lock on the file.

Beside a file lies a mark while a guarded piece comes: the size that counts until the piece is confirmed.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from io import FileIO
from pathlib import Path
from uuid import UUID

from adapters.storage.room import room
from adapters.uninterrupted import uninterrupted
from application.ports.resumables import FileHeld, GrowingFile, GrowingFiles
from domain.errors import StorageFull

_BATCH = 1024 * 1024
"""Written at once: a thread hop for each network read would cost more than the write."""
_MARK = ".counts"


class LocalGrowingFiles(GrowingFiles):
    """Keeps them in `folder`, which must be there; nothing is taken in below `min_free_percent` of its volume."""

    def __init__(self, folder: Path, *, min_free_percent: float = 0.0) -> None:
        self._folder = folder
        self._min_free_percent = min_free_percent

    @asynccontextmanager
    async def hold(self, name: UUID) -> AsyncIterator[GrowingFile]:
        """Lock the file."""
        volume = shutil.disk_usage(self._folder)
        if volume.free < volume.total * self._min_free_percent / 100:
            raise StorageFull("there is hardly any room left")
        held = await uninterrupted(asyncio.to_thread(LocalGrowingFile, self._folder / str(name)))
        try:
            yield held
        finally:
            await uninterrupted(held.release())

    async def size(self, name: UUID) -> int:
        """Look at the file and its mark."""
        return await asyncio.to_thread(_counting, self._folder / str(name))

    async def remove(self, name: UUID) -> None:
        """Remove the file and its mark."""
        path = self._folder / str(name)
        for each in (path, path.with_suffix(_MARK)):
            await asyncio.to_thread(each.unlink, missing_ok=True)

    async def names(self) -> Sequence[UUID]:
        """List the folder."""
        return [UUID(path.name) for path in await asyncio.to_thread(list, self._folder.iterdir()) if not path.suffix]


class LocalGrowingFile(GrowingFile):
    """A locked file."""

    def __init__(self, path: Path) -> None:
        """Lock it; blocks.

        Raises:
            FileHeld: somebody else has it, or has just moved it away.
        """
        self.path = path
        self._mark = path.with_suffix(_MARK)
        self._file = FileIO(path, "r+b", opener=lambda name, _: os.open(name, os.O_RDWR | os.O_CREAT, 0o600))
        with ExitStack() as undo:
            undo.callback(self._file.close)
            _lock(self._file, path)
            self._counts = self.size = _counting(path)
            self._file.truncate(self.size)
            self._mark.unlink(missing_ok=True)
            undo.pop_all()
        self._guarded = False
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    async def guard(self) -> None:
        """Write the mark."""
        await self._flush()
        self._counts, self._guarded = self.size, True
        await uninterrupted(asyncio.to_thread(self._write_mark))

    async def append(self, chunk: bytes) -> None:
        """Take the chunk, and write when there is a batch."""
        self.size += len(chunk)
        self._pending.append(chunk)
        self._pending_bytes += len(chunk)
        if self._pending_bytes >= _BATCH:
            await self._flush()

    async def confirm(self) -> None:
        """Flush, and remove the mark."""
        await self._flush()
        await uninterrupted(asyncio.to_thread(self._settle))

    async def release(self) -> None:
        """Keep what counts, and let others have the file."""
        try:
            if self._guarded:
                await asyncio.to_thread(self._take_back)
            else:
                with suppress(StorageFull), room():  # what was written before counts
                    await self._flush()
                    await asyncio.to_thread(os.fsync, self._file.fileno())
        finally:
            self._file.close()

    async def _flush(self) -> None:
        batch, self._pending, self._pending_bytes = self._pending, [], 0
        if batch:
            await uninterrupted(asyncio.to_thread(self._write, batch))

    def _write(self, batch: list[bytes]) -> None:
        self._file.seek(0, os.SEEK_END)
        with room():
            for chunk in batch:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[self._file.write(rest) :]

    def _write_mark(self) -> None:
        with room():
            self._mark.write_text(str(self._counts), encoding="ascii")

    def _settle(self) -> None:
        with room():
            os.fsync(self._file.fileno())
        self._mark.unlink(missing_ok=True)
        self._guarded = False

    def _take_back(self) -> None:
        self._file.truncate(self._counts)
        os.fsync(self._file.fileno())
        self._mark.unlink(missing_ok=True)


def _counting(path: Path) -> int:
    with suppress(FileNotFoundError):
        size = path.stat().st_size
        with suppress(FileNotFoundError):
            # A mark that a crash left empty was written before anything that it guards.
            mark = path.with_suffix(_MARK).read_text(encoding="ascii")
            return min(size, int(mark)) if mark else size
        return size
    return 0


def _lock(file: FileIO, path: Path) -> None:
    """Lock the file, if the name does not stand for another by now, or for none."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError) as error:
        raise FileHeld(path.name) from error
    if not ours:
        raise FileHeld(path.name)
