"""What a process uses of the machine, as the kernel counts it.

It must not judge the figures.
"""

import contextlib
import os
import resource
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_READ_SECOND = 10_000_000
"""Bytes from storage that count as a second of work: a slow disk gives ten times as many."""


def memory_of(pid: int) -> int:
    """Bytes of memory that are the process's own, without mapped files; 0 when it is gone."""
    resident, shared = _pages(pid)
    return (resident - shared) * resource.getpagesize()


def resident_of(pid: int) -> int:
    """Bytes of memory that the process takes, mapped files too; 0 when it is gone."""
    return _pages(pid)[0] * resource.getpagesize()


def _pages(pid: int) -> tuple[int, int]:
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return 0, 0
    return int(resident), int(shared)


def work_of(pid: int) -> float:
    """What the process has computed and read until now, in seconds of one core; 0 when it is gone."""
    process = Path(f"/proc/{pid}")
    try:
        user, system = (
            (process / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[11:13]
        )
    except (OSError, ValueError):
        return 0.0
    read = ""
    with contextlib.suppress(OSError):  # some containers hide it
        read = (process / "io").read_text(encoding="ascii").partition("\nread_bytes: ")[2].partition("\n")[0]
    return (int(user) + int(system)) / _TICKS + int(read or 0) / _READ_SECOND
