"""Files that are whole and durable once they have their name, and the folders around them; all of it blocking.

Folders are made for this user alone, and removed again when a file was the last in them.
"""

import hashlib
import os
import secrets
from contextlib import suppress
from io import FileIO
from pathlib import Path

from adapters.storage.room import room

NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class PartialFile:
    """A file that is being written in `folder`, on the volume of its later place; made with the first write."""

    def __init__(self, folder: Path) -> None:
        self.size = 0
        self.hash = hashlib.sha256()
        self._path = folder / secrets.token_hex(16)
        self._file: FileIO | None = None

    def write(self, batch: bytearray) -> None:
        """Append.

        Raises:
            StorageFull: there is no room.
        """
        self.hash.update(batch)
        self.size += len(batch)
        with room():
            file = self._opened()
            rest = memoryview(batch)
            while rest:
                rest = rest[file.write(rest) :]

    def finish(self, place: Path, root: Path) -> None:
        """Give the file its place below `root`, replacing what is there.

        Raises:
            StorageFull: there is no room.
        """
        with room():
            file = self._opened()
            os.fsync(file.fileno())
            file.close()
            _move(self._path, place, root)

    def discard(self) -> None:
        """Forget the file, unless it is finished."""
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def _opened(self) -> FileIO:
        if self._file is None:
            _make(self._path.parent)
            self._file = FileIO(self._path, "xb", opener=lambda path, flags: os.open(path, flags, 0o600))
        return self._file


def take_over(source: Path, place: Path, root: Path) -> tuple[int, str]:
    """Move a finished file to its place below `root`; return its size and SHA-256.

    Raises:
        StorageFull: there is no room.
        OSError: EXDEV, the file is on another volume; it is still there.
    """
    with source.open("rb") as file, room():
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fchmod(file.fileno(), 0o600)
        os.fsync(file.fileno())
        _move(source, place, root)
        return file.tell(), sha256


def link(source: Path, place: Path, root: Path, aside: Path) -> None:
    """Give a file another place below `root` beside its own, replacing what is there, by way of the folder `aside`.

    Raises:
        StorageFull: there is no room.
        OSError: there is no such file, or the file system cannot do it.
    """
    with room():
        _make(aside)
        second = aside / secrets.token_hex(16)
        os.link(source, second, follow_symlinks=False)
        try:
            _move(second, place, root)
        finally:
            # Renaming a file onto itself under another name leaves both names.
            second.unlink(missing_ok=True)


def remove(place: Path, root: Path) -> None:
    """Remove a file, if there is one, and the folders up to `root` that it leaves empty."""
    try:
        place.unlink()
    except NO_FILE:
        return
    for folder in place.parents:
        if folder == root:
            break
        try:
            folder.rmdir()
        except OSError:  # there is more in it
            break
    with suppress(FileNotFoundError):  # it was removed by somebody else, being empty too
        _sync(folder)


def _make(folder: Path) -> None:
    for missing in [path for path in (folder, *folder.parents) if not path.exists()][::-1]:
        missing.mkdir(mode=0o700, exist_ok=True)
        _sync(missing.parent)


def _move(file: Path, place: Path, root: Path) -> None:
    while True:
        try:
            _make(place.parent)
            file.replace(place)
            break
        except FileNotFoundError:
            if not file.exists():
                raise
            # A folder on the way had become empty and was removed just now: make it again.
    for folder in place.parents:
        with suppress(FileNotFoundError):  # the file was removed again, and its folder with it
            _sync(folder)
        if folder == root:
            break


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
