"""What becomes of log files that were set aside: compressed once nobody reads them, removed for age and for room.

It looks after the whole folder, since those who wrote may be gone for ever; of several processes one at a time does.
"""

import fcntl
import gzip
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from infrastructure.logs.files import lock_of

LOOK_SECONDS = 3600.0
SETTLED_SECONDS = 600.0
"""How long a file stays as it was written: whoever ships lines may still be reading its end."""
_UNFINISHED = ".gz.new"
_ASIDE = re.compile(r"[a-z]+(-\d+)?\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}Z\.log")


class Upkeep:
    """Keeps `folder` within `keep` seconds of age, None is for ever, and within `most` bytes.

    A file that is being written is never removed: it is set aside first, by whoever writes it.
    """

    def __init__(self, folder: Path, *, keep: float | None, most: int, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._keep = keep
        self._most = most
        self._now = now
        self._woken = threading.Event()

    def start(self, look: Callable[[], object]) -> None:
        """Look after it from now on, in a thread of its own; `look` is called before each time."""
        threading.Thread(target=self._run, args=(look,), daemon=True, name="log-upkeep").start()

    def wake(self) -> None:
        """Look at once, because a file was set aside."""
        self._woken.set()

    def __call__(self) -> None:
        """Compress and remove what is due; another process that is at it already will do."""
        with _alone(self._folder) as mine:
            if not mine:
                return
            for path in self._set_aside(".log"):
                if self._age(path) > SETTLED_SECONDS:
                    with suppress(OSError):
                        _compress(path)
            self._remove()

    def _run(self, look: Callable[[], object]) -> None:
        while True:
            with suppress(OSError):  # a folder that is gone, or full; the next time may be better
                look()
                self()
            self._woken.wait(LOOK_SECONDS)
            self._woken.clear()

    def _remove(self) -> None:
        for left in self._set_aside(f".log{_UNFINISHED}"):  # by a process that died over it
            left.unlink(missing_ok=True)
        # The folder may be everybody's: what others log there is not ours to count or to remove.
        written = [path for path in self._folder.glob("*.log") if lock_of(self._folder, path.stem).exists()]
        aside = [*self._set_aside(".log"), *self._set_aside(".log.gz")]
        removable = sorted((*aside, *filter(self._abandoned, written)), key=_written)
        if self._keep is not None:
            for path in removable:
                if self._age(path) > self._keep:
                    path.unlink(missing_ok=True)
        total = sum(map(_size, (*aside, *written)))
        for path in removable:
            if total <= self._most:
                return
            total -= _size(path)
            path.unlink(missing_ok=True)

    def _set_aside(self, ending: str) -> list[Path]:
        """Return the files with the name of a process and a time."""
        named = (path for path in self._folder.glob(f"*Z{ending}") if _ASIDE.match(path.name))
        return [path for path in named if path.is_file()]

    def _abandoned(self, path: Path) -> bool:
        """Whether nobody writes under that name any more."""
        with suppress(OSError), lock_of(self._folder, path.stem).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _age(self, path: Path) -> float:
        return self._now() - _written(path)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    with (folder / ".upkeep.lock").open("ab") as lock:
        yield _taken(lock)


def _taken(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _compress(path: Path) -> None:
    target, unfinished = path.with_name(f"{path.name}.gz"), path.with_name(f"{path.name}{_UNFINISHED}")
    written = path.stat()
    with path.open("rb") as plain, gzip.open(unfinished, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed)
    shutil.copymode(path, unfinished)
    # Its age is that of its last line.

    os.utime(unfinished, ns=(written.st_atime_ns, written.st_mtime_ns))
    unfinished.rename(target)
    path.unlink()


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
