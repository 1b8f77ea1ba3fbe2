"""What the tests ask the machine about processes."""

import resource
import time
from collections.abc import Callable
from pathlib import Path

from adapters.media import fork_server

_SERVERS = {"postgres", "rclone", "redis-server", "rabbitmq-server", "epmd"}


def running(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children(of: int | str = "self") -> set[int]:
    """The ids of a process's children, zombies among them; not those that serve other tests too.

    What forks decoders is no child in this sense: its own are.
    """
    lists = Path(f"/proc/{of}/task").glob("*/children")
    found = {int(pid) for task in lists for pid in task.read_text(encoding="ascii").split()}
    forking = {pid for pid in found if _name(pid) == fork_server.NAME}
    own = {pid for pid in found - forking if not _serves_others(pid)}
    return own.union(*map(children, forking))


def _serves_others(pid: int) -> bool:
    """Whether it is a server of `tests.servers`, or one of multiprocessing's."""
    return _name(pid) in _SERVERS or b"from multiprocessing." in Path(f"/proc/{pid}/cmdline").read_bytes()


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_until(condition: Callable[[], bool], *, seconds: float) -> float:
    """Wait for the condition; return how long it took.

    Raises:
        TimeoutError: it did not come about.
    """
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            message = f"not within {seconds} s"
            raise TimeoutError(message)
        time.sleep(0.01)
    return time.monotonic() - begun


def resident(pid: int | str) -> int:
    """Bytes of memory that a process holds; `self` is this one."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
