"""Blobs as files below one folder: written aside, made durable, then renamed into their place.

File work happens in threads, a megabyte or more a time, and a step that has begun is finished even when its task is
cancelled.
"""

import asyncio
import errno
import os
import stat
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing, suppress
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

from adapters.storage.durable import NO_FILE, PartialFile, link, remove, take_over
from adapters.storage.keys import checked, folder_of
from adapters.uninterrupted import uninterrupted
from application.ports.blobs import BlobInfo, BlobNotFound, BlobStat, BlobStore

P = ParamSpec("P")
T = TypeVar("T")

_BATCH = 1024 * 1024
"""Bytes that are worth a hop to a thread and back."""
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS}
"""The file system knows no second names, or has no more for this file."""
_PARTIAL = ".partial"
"""Where files are written; no key starts with a dot."""


class FilesystemBlobStore(BlobStore):
    """Stores blobs below `root`, which is made when the first one comes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def prepare(self) -> None:
        """Make the folder, for this user alone."""
        await _in_thread(self._root.mkdir, mode=0o700, parents=True, exist_ok=True)

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        """Store the chunks."""
        place = self._place(key)
        partial = PartialFile(self._root / _PARTIAL)
        try:
            batch = bytearray()
            async for chunk in chunks:
                batch += chunk
                if len(batch) >= _BATCH:
                    await _in_thread(partial.write, batch)
                    batch = bytearray()
            await _in_thread(partial.write, batch)
            await _in_thread(partial.finish, place, self._root)
        except BaseException:
            await _in_thread(partial.discard)
            raise
        return BlobInfo(key=key, size=partial.size, sha256=partial.hash.hexdigest())

    async def adopt(self, key: str, source: Path) -> BlobInfo:
        """Move the file here, or copy it from another volume."""
        try:
            size, sha256 = await _in_thread(take_over, source, self._place(key), self._root)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return BlobInfo(key=key, size=size, sha256=sha256)
        async with aclosing(_chunks(source)) as chunks:
            info = await self.put(key, chunks)
        await _in_thread(source.unlink)
        return info

    async def open(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Stream the file."""
        try:
            async with aclosing(_chunks(self._place(key), start, end)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NO_FILE as error:
            raise BlobNotFound(key) from error

    async def stat(self, key: str) -> BlobStat | None:
        """Look at the file."""
        try:
            return await _in_thread(_stat, self._place(key))
        except NO_FILE:
            return None

    async def copy(self, source: str, key: str) -> BlobStat:
        """Give the file a second name; it is never written again, only replaced."""
        origin, place = self._place(source), self._place(key)
        try:
            await _in_thread(_stat, origin)
            await _in_thread(link, origin, place, self._root, self._root / _PARTIAL)
        except NO_FILE as error:
            raise BlobNotFound(source) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            async with aclosing(_chunks(origin)) as chunks:
                await self.put(key, chunks)
        return await _in_thread(_stat, place)

    async def fetch(self, key: str, into: Path) -> Path:  # noqa: ARG002 - the blob is a local file already
        """Return the blob's own path."""
        place = self._place(key)
        if not await _in_thread(place.is_file):
            raise BlobNotFound(key)
        return place

    async def delete(self, key: str) -> None:
        """Remove the file."""
        await _in_thread(remove, self._place(key), self._root)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Walk the folder that the prefix names."""
        for key in await _in_thread(_keys, self._root, prefix):
            yield key

    async def sweep_partial(self, older_than: timedelta) -> int:
        """Remove old files from the folder where blobs are written."""
        return await _in_thread(_sweep, self._root / _PARTIAL, time.time() - older_than.total_seconds())

    def _place(self, key: str) -> Path:
        return self._root / checked(key)


async def _in_thread(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await uninterrupted(asyncio.to_thread(step, *args, **kwargs))


async def _chunks(path: Path, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
    with await _in_thread(path.open, "rb", 0) as file:
        await _in_thread(file.seek, start)
        left = sys.maxsize if end is None else end - start
        while left > 0 and (chunk := await _in_thread(file.read, min(left, _BATCH))):
            left -= len(chunk)
            yield chunk


def _stat(path: Path) -> BlobStat:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise FileNotFoundError(path)
    return BlobStat(size=found.st_size, etag=f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}")


def _keys(root: Path, prefix: str) -> list[str]:
    keys: list[str] = []
    for folder, folders, files in os.walk(root / folder_of(prefix)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(folder).relative_to(root)
        keys += [(below / name).as_posix() for name in files]
    return sorted(key for key in keys if key.startswith(prefix))


def _sweep(folder: Path, before: float) -> int:
    swept = 0
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):  # it has just been finished
            if path.stat().st_mtime <= before:
                path.unlink()
                swept += 1
    return swept
