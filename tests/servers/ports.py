"""Free ports and waiting for whoever shall listen on them."""

import socket
import time
from collections.abc import Callable


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until(there: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait for `there`; fail with the name of what did not come."""
    end = time.monotonic() + seconds
    while not there():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come up within {seconds} s")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as asked:
        asked.settimeout(1)
        return asked.connect_ex(("127.0.0.1", port)) == 0
