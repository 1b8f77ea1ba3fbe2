"""Takes every right that a risky piece of work does not need away from the current process, for good.

It must never run in a process that matters.
"""

import ctypes
import math
import os
import resource
import signal
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

_NOBODY = 65_534
_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
# The same on every architecture; see landlock(7) in the Linux manual.
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_READ = 0b1100  # files and folders; not the right to execute
_WRITE = 0b0100_0001_1011_0010 | _READ  # and write, truncate, remove and make files and folders
_CONNECT = 0b10
_FOLDER_RIGHTS = 0b0011_1111_1111_1000
_CLIENT_FILES = 64
# How many rights over files each version of Landlock knows; later versions than the last added none.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_ABI_WITH_TCP, _ABI_WITH_SCOPES = 4, 6

_libc = ctypes.CDLL(None, use_errno=True)


def confine(*, memory: int, seconds: float, file_size: int) -> dict[str, bool]:
    """Leave a process what it has open and nothing else; say which layers this kernel allowed.

    It must run after the last file was opened and the last module imported. `memory` is the address space in bytes,
    `seconds` the processor time, `file_size` the largest file in bytes. One more descriptor may be opened afterwards,
    for the demuxer duplicates its input.
    """
    layers: dict[str, Callable[[], None]] = {
        "network_namespace": _leave_network,
        "unprivileged_user": _leave_root,
        "dies_with_parent": die_with_parent,  # leaving root clears it: after that
        "no_new_privileges": lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "landlock": _leave_files,
        "resource_limits": lambda: _limit(memory=memory, seconds=math.ceil(seconds), file_size=file_size),
    }
    return {name: _held(apply) for name, apply in layers.items()}


def confine_client(
    *, reads: Sequence[Path], writes: Path, port: int, memory: int, seconds: float, file_size: int
) -> dict[str, bool]:
    """Leave a process what is below `reads`, the folder `writes`, and TCP connections to `port`.

    It may execute nothing and start neither process nor thread. The limits are those of `confine`.
    """
    layers: dict[str, Callable[[], None]] = {
        "dies_with_parent": die_with_parent,
        "no_new_privileges": lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "landlock": lambda: _leave_files(reads, writes, port),
        "resource_limits": lambda: _limit(
            memory=memory, seconds=math.ceil(seconds), file_size=file_size, files=_CLIENT_FILES
        ),
    }
    return {name: _held(apply) for name, apply in layers.items()}


def die_with_parent() -> None:
    """Have the kernel end this process when the thread that started it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _held(apply: Callable[[], None]) -> bool:
    try:
        apply()
    except (OSError, ValueError):
        return False
    return True


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _prctl(option: int, value: int) -> None:
    _checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def _leave_network() -> None:
    """Move into a network namespace of its own: no interface there is up, not even loopback."""
    # Root needs no user namespace for that, and could not become another user in an unmapped one.
    _checked(_libc.unshare(_CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER))


def _leave_root() -> None:
    """Become nobody. It matters for the limit on processes, too: the kernel does not hold root to it."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _leave_files(reads: Sequence[Path] = (), writes: Path | None = None, port: int | None = None) -> None:
    """Give up every path, TCP, and the signals and abstract sockets of other processes, but for what is named."""
    abi = _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION))
    files = (1 << _FILE_RIGHTS.get(abi, _FILE_RIGHTS[5])) - 1
    handled = [files, *([0b11] if abi >= _ABI_WITH_TCP else []), *([0b11] if abi >= _ABI_WITH_SCOPES else [])]
    attributes = (ctypes.c_uint64 * len(handled))(*handled)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, size, 0))
    try:
        for path in filter(Path.exists, reads):
            _allow_beneath(ruleset, path, files & _READ)
        if writes is not None:
            _allow_beneath(ruleset, writes, files & _WRITE)
        if port is not None and abi >= _ABI_WITH_TCP:
            rule = struct.pack("QQ", _CONNECT, port)
            _checked(_libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _NET_PORT, rule, 0))
        _checked(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow_beneath(ruleset: int, path: Path, rights: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        # Rights over folders are not for files: the kernel refuses a rule that gives them.
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & ~_FOLDER_RIGHTS, opened)
        _checked(_libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(opened)


def _limit(*, memory: int, seconds: int, file_size: int, files: int = 0) -> None:
    spare = os.dup(0)  # the lowest free number: limits below it leave what is open as it is
    os.close(spare)
    ceilings = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: spare + 1 + files,
        resource.RLIMIT_FSIZE: file_size,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: memory,
    }
    for name, ceiling in ceilings.items():
        _, hard = resource.getrlimit(name)
        value = ceiling if hard == resource.RLIM_INFINITY else min(ceiling, hard)
        # The signal at the end of its time is one that tells why; the one that cannot be ignored comes a second later.
        last = value + 1 if name == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else value
        resource.setrlimit(name, (value, last))
