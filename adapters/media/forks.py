"""The near side of the fork server: a process for each job, for as long as somebody listens to it."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path(__file__).parents[2]
# One thread for numpy's algebra: a process with several may not enter a user namespace.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
_LEAVE_SECONDS = 10.0
"""How long a killed process may take to be gone; one that waits for a disk cannot even be killed."""
_RECEIVE = 64 * 1024


class Forks:
    """Runs jobs in forks of one process, which starts with the first job; a fresh one takes its place when it is gone.

    `program` names a module and the arguments of its `main` after the job. Thread-safe.
    """

    def __init__(self, *program: str) -> None:
        self._program = program
        self._free = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._jobs: socket.socket | None = None
        self._before: list[subprocess.Popen[bytes]] = []

    def __reduce__(self) -> tuple[type["Forks"], tuple[str, ...]]:
        """Another process forks from one of its own."""
        return Forks, self._program

    def close(self) -> None:
        """End what forks, with all that runs; the next job starts it again."""
        with self._free:
            if self._jobs is not None:
                self._jobs.close()
            for server in (*self._before, self._server):
                if server is not None:
                    server.wait(_LEAVE_SECONDS)
            self._jobs = self._server = None

    @contextmanager
    def running(self, job: Mapping[str, object]) -> Iterator[socket.socket]:
        """Give the line on which the job's process writes; however the block is left, that has ended with its family.

        Nothing ever comes on the line if the job could not be taken.

        Raises:
            OSError: the process that forks cannot be started.
        """
        near, far = socket.socketpair()
        with near:
            with far:
                self._send(json.dumps(job).encode(), far)
            try:
                yield near
            finally:
                near.settimeout(_LEAVE_SECONDS)
                with suppress(OSError):
                    near.shutdown(socket.SHUT_WR)
                    while near.recv(_RECEIVE):  # it closes when the last of them is gone
                        pass

    def _send(self, job: bytes, line: socket.socket) -> None:
        with self._free:
            if self._jobs is not None:
                with suppress(ConnectionError):
                    socket.send_fds(self._jobs, [job], [line.fileno()])
                    return
            socket.send_fds(self._start(), [job], [line.fileno()])

    def _start(self) -> socket.socket:
        """Start a server; one that takes no more jobs ends when those that it has are done."""
        if self._jobs is not None:
            self._jobs.close()
        self._before = [server for server in (*self._before, self._server) if server and server.poll() is None]
        self._jobs, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(  # noqa: S603 - this program, with arguments of its own
                [sys.executable, "-E", "-s", "-m", "adapters.media.fork_server", *self._program],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        return self._jobs
