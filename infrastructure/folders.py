"""Folders that several processes of one machine use: who may be in one at a time, and one of one's own inside it."""

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import IO

_LOCK = ".lock"


class DataFolderBusy(Exception):
    """Another process works on this data folder."""


def hold_data_folder(folder: Path, *, shared: bool) -> IO[bytes]:
    """Return a lock on the folder that lasts until it is closed; `shared` holders exclude only those who are not.

    Raises:
        DataFolderBusy: a process that does not share has it, or we would not share and somebody has it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _locked(folder / "lock", fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    if lock is None:
        raise DataFolderBusy(f"another Colloquy works on {folder}")
    return lock


class OwnFolder:
    """A subfolder of `parent` for this process alone, for as long as it lives."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self.path = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock: IO[bytes] | None = None

    def take(self) -> Path:
        """Make it, and remove those of processes that have died."""
        self._parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _private(self._parent / _LOCK) as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # nobody is between making a folder and locking it
            self._remove_dead()
            self.path.mkdir(mode=0o700)
            self._lock = _locked(self.path / _LOCK, fcntl.LOCK_EX)
        return self.path

    def remove_dead(self) -> None:
        """Remove those of processes that have died meanwhile; any number of processes may do so at once."""
        with _private(self._parent / _LOCK) as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            self._remove_dead()

    def release(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    def _remove_dead(self) -> None:
        for item in self._parent.iterdir():
            if item.is_dir():
                lock = _locked(item / _LOCK, fcntl.LOCK_EX)
                if lock is not None:
                    shutil.rmtree(item, ignore_errors=True)
                    lock.close()
            elif item.name != _LOCK:
                item.unlink(missing_ok=True)


def _locked(file: Path, how: int) -> IO[bytes] | None:
    lock = _private(file)
    with contextlib.ExitStack() as undo:
        undo.callback(lock.close)
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        undo.pop_all()
    return lock


def _private(file: Path) -> IO[bytes]:
    return os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")
