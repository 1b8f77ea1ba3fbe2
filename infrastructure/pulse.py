"""Signs of life: each process keeps one small file that says how it is, and touches it while its event loop runs.

The file's age is the pulse, so that a full disk does not stop it; its lock says that the process is there at all.
"""

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

STALE_SECONDS = 30.0
"""Six beats: a machine that swaps delays one, and a supervisor that waits longer leaves a hung process in charge."""
_FORGOTTEN_SECONDS = 86_400.0
"""Files of machines and containers that have not come back for so long are nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What a process of this machine last said: `age` in seconds, `url` where it serves, `parts` as readiness names."""

    role: str
    pid: int
    age: float
    url: str
    parts: dict[str, str]

    @property
    def alive(self) -> bool:
        """Whether it was heard of lately."""
        return self.age < STALE_SECONDS


class Pulse:
    """The file of this process in `folder`, from `begin` to `end`; for one thread at a time."""

    def __init__(self, folder: Path, role: str) -> None:
        self._path = folder / f"{_machine()}.{role}.{os.getpid()}-{secrets.token_hex(4)}"
        self._role = role
        self._said: dict[str, Any] = {}
        self._file = -1

    def begin(self) -> Self:
        """Make the file, and remove what nobody keeps any more."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_others(self._path.parent)
        self._appear()
        self.beat({}, "")
        return self

    def beat(self, parts: Mapping[str, str], url: str) -> None:
        """Say how the process is, and that it is; a disk that takes no word more still takes the second."""
        now = time.time()
        if not os.fstat(self._file).st_nlink:  # somebody tidied it away while this machine slept
            os.close(self._file)
            self._appear()
        said = {"role": self._role, "pid": os.getpid(), "url": url, "parts": dict(parts)}
        if said != self._said:
            with suppress(OSError):
                words = json.dumps(said).encode()
                os.pwrite(self._file, words, 0)
                os.ftruncate(self._file, len(words))
                self._said = said
        os.utime(self._file, (now, now))

    def _appear(self) -> None:
        """Make the file, locked before anybody can find it: one without a lock would be taken for a dead process's."""
        hidden = self._path.with_name(f".{self._path.name}")
        self._file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        hidden.rename(self._path)
        self._said = {}

    def end(self) -> None:
        """Take the file away."""
        self._path.unlink(missing_ok=True)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def signs(folder: Path) -> Iterator[Sign]:
    """Read what the running processes of this machine, or this container, say; those that were killed say nothing."""
    for path in sorted(folder.glob(f"{_machine()}.*")):
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if _free(file):
                path.unlink(missing_ok=True)
                continue
            said = json.loads(os.read(file, 1 << 16) or b"{}")
            age = time.time() - os.fstat(file).st_mtime
            # A clock that was set back makes no sign younger than now.
            yield Sign(role=said["role"], pid=said["pid"], age=abs(age), url=said["url"], parts=said["parts"])
        except (ValueError, KeyError):  # it is being written
            continue
        finally:
            os.close(file)


def _machine() -> str:
    return socket.gethostname().replace("/", "_") or "localhost"


def _free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _forget_others(folder: Path) -> None:
    for path in folder.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _FORGOTTEN_SECONDS:
                path.unlink()
