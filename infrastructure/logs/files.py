"""A log file of one process, which begins anew each day and when it has grown; what was set aside is for `upkeep`.

It must never stop what is being said elsewhere: a full disk costs lines of the file, and nothing else.
"""

import fcntl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

_MOST = 10_000
_DAY_SECONDS = 86_400


class LogFile:
    """`NAME.log` in `folder`, or `NAME-2.log` and so on while others of that name run; thread-safe.

    It is set aside at `largest` bytes, and at midnight, UTC, by the next line or look; then `rotated` is called. The
    standard library's handlers turn by time or by size, and know of no other process.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        largest: int,
        rotated: Callable[[], object] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.process, self._lock_file = _own(folder, name)
        self._path = folder / f"{self.process}.log"
        self._largest = largest
        self._rotated = rotated
        self._now = now
        self._alone = threading.Lock()
        self._stream: IO[bytes] | None = None
        self._torn = False
        self._size, self._day = 0, _day(now())
        with suppress(OSError):
            stood = self._path.stat()
            self._size, self._day = stood.st_size, _day(stood.st_mtime)

    def write(self, line: str) -> None:
        """Write a line; whatever goes wrong with the file is not the caller's trouble."""
        data = f"{line}\n".encode()
        with self._alone, suppress(OSError):
            if self._due(len(data)):
                self._set_aside()
            if self._stream is None:
                # Nothing is held back: what was said before a crash is there after it.
                self._stream = self._path.open("ab", buffering=0)
            if self._torn:
                data = b"\n" + data
            self._torn = True
            written = self._stream.write(data)
            self._size += written
            self._torn = written < len(data)  # the disk is full; the next line must not be glued to half of this one

    def look(self) -> None:
        """Set aside what is of an earlier day, where nothing more is written."""
        with self._alone, suppress(OSError):  # the next look may find the disk well again
            if self._due(0):
                self._set_aside()

    def close(self) -> None:
        """Let go of the file and of its name."""
        with self._alone:
            self._release()
            self._lock_file.close()

    def _due(self, size: int) -> bool:
        return self._size > 0 and (self._size + size > self._largest or _day(self._now()) != self._day)

    def _set_aside(self) -> None:
        self._release()
        now = self._now()
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        with suppress(FileNotFoundError):
            self._path.rename(self._path.with_name(f"{self.process}.{stamp}.log"))
        self._size, self._day, self._torn = 0, _day(now), False
        self._rotated()

    def _release(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def lock_of(folder: Path, process: str) -> Path:
    """Return the file that is locked for as long as a process writes under that name."""
    return folder / f".{process}.lock"


def _day(seconds: float) -> int:
    return int(seconds // _DAY_SECONDS)


def _own(folder: Path, name: str) -> tuple[str, IO[bytes]]:
    """Return a name that no other process writes under, and the lock that says so."""
    for number in range(1, _MOST):
        process = name if number == 1 else f"{name}-{number}"
        lock = lock_of(folder, process).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            return process, lock
    raise OSError(f"{_MOST} processes write to {folder} already")
