"""One process of an engine child, seen from the parent: starting it, talking to it, ending it.

It must not decide when a child has hung or shall be replaced.
"""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Self, cast

from adapters.hosting.messages import STICKY_ERROR_EXIT, Call, Message, Ready
from adapters.hosting.output import Output
from adapters.hosting.policy import Hosting
from adapters.hosting.usage import memory_of, resident_of, work_of

LEAVE_SECONDS = 1.0
_LOOK_SECONDS = 0.005
_REAP_SECONDS = 5.0

_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine-starter")
"""All children are started by this one thread: the kernel takes a parent for dead when the *thread* that started the
child ends, and callers come from pools whose threads come and go."""


class ChildGone(Exception):
    """The child's process has died."""


class ChildStuck(Exception):
    """The child makes no progress: its process must be killed."""


class ChildProcess:
    """A running child. `ready`: it can be sent calls; `took`: it has begun the one it was sent last; `calls` counts.

    `holds` is the model in its memory: None for none, empty for its adapter's default. `loads` is what it has loaded,
    with the seconds, that nobody has taken note of yet.
    """

    def __init__(self, adapter: bytes, hosting: Hosting) -> None:
        self.ready = False
        self.took = False
        self.calls = 0
        self.holds: str | None = None
        self.loads: list[tuple[str, float]] = []
        ours, theirs = socket.socketpair()
        output, sink = os.pipe()
        # A whole message passes in milliseconds; a peer that is frozen halfway through one must not hold the parent.
        patience = struct.pack("ll", *divmod(int(hosting.stall_seconds * 1_000_000), 1_000_000))
        for direction in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, direction, patience)
        self._connection: Connection[object, object] = Connection(ours.detach())
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - our own program
                [
                    *(sys.executable, "-P", "-X", "faulthandler", "-m", "adapters.hosting.main"),
                    *(str(os.getpid()), str(theirs.fileno()), str(int(hosting.preload))),
                ],
                env=hosting.child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError:
            self._connection.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(sink)
        self._output = Output(output)
        with contextlib.suppress(ConnectionError):  # it died at once; whoever waits for its answer will be told
            self._connection.send_bytes(adapter)

    @classmethod
    def start(cls, adapter: bytes, hosting: Hosting) -> Self:
        """Start a child that holds the pickled `adapter`, without waiting until it is ready.

        Raises:
            OSError: the machine has no room for another process.
        """
        return _STARTER.submit(cls, adapter, hosting).result()

    @property
    def alive(self) -> bool:
        """Whether the process runs. It is not reaped here: until then its id, and its group's, are nobody else's."""
        try:
            return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    @property
    def output(self) -> str:
        """The last lines that the child wrote to its standard output and error."""
        return self._output.tail

    @property
    def memory(self) -> int:
        """Bytes of memory that are the child's own; 0 when it is gone."""
        return memory_of(self._popen.pid)

    @property
    def resident(self) -> int:
        """Bytes of memory that the child takes, shared ones too; 0 when it is gone."""
        return resident_of(self._popen.pid)

    @property
    def work(self) -> float:
        """What the child has done until now, in seconds of one core; 0 when it is gone."""
        return work_of(self._popen.pid)

    @property
    def sticky(self) -> bool:
        """Whether it ended itself for an error of its device; known after `end`."""
        return self._popen.returncode == STICKY_ERROR_EXIT

    def is_ready(self, message: Ready) -> None:
        """Learn that it is, and whether it has loaded."""
        self.ready = True
        self.holds = "" if message.loaded else None

    def send(self, call: Call) -> None:
        """Hand a ready child its next call.

        Raises:
            ChildGone: it died.
            ChildStuck: it takes nothing.
        """
        self.calls += 1
        with _translated():
            self._connection.send(call)

    def receive(self, seconds: float) -> Message | None:
        """Wait for the next message; None when there was none in time.

        Raises:
            ChildGone: it died.
            ChildStuck: it froze in the middle of a message.
        """
        with _translated():
            return cast("Message", self._connection.recv()) if self._connection.poll(seconds) else None

    def abort(self) -> None:
        """Make the child write to its output where each of its threads stands, and die of it."""
        os.kill(self._popen.pid, signal.SIGABRT)
        self._await_end(LEAVE_SECONDS)

    def end(self, *, grace: float = LEAVE_SECONDS) -> str:
        """Hang up, give the child `grace` seconds to leave, kill what is left of its group; say how it ended.

        The last thing to do with a child.
        """
        self._connection.close()
        self._await_end(grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in a driver: it must not hold up its parent
            self._popen.wait(_REAP_SECONDS)
        self._output.join(LEAVE_SECONDS)
        return _ending(self._popen.returncode)

    def _await_end(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.alive and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BlockingIOError as exc:
        raise ChildStuck("a message stopped halfway") from exc
    except (EOFError, ConnectionError) as exc:
        raise ChildGone from exc


def _ending(code: int | None) -> str:
    """Put an exit code into words that may follow "the engine's process"."""
    if code is None:
        return "could not be ended"
    if code == STICKY_ERROR_EXIT:
        return "met a CUDA error that only a new process leaves behind"
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL), most often for want of memory"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
