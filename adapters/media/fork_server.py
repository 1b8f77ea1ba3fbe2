"""`python -m adapters.media.fork_server MODULE [ARGUMENT…]`: forks a process for each recording.

A fresh interpreter takes a quarter of a second to import what decoding needs, longer than a short clip takes to be
decoded; this one has imported it. Standard input is a socket that brings each job with a line to whoever gave it:
`MODULE.main(job, *arguments)` runs in the fork, with that line for standard output. This process must never open a
recording, start a thread, or believe what is written to a line.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from adapters.confinement import die_with_parent

NAME = "decoder-forks"
"""What `ps` calls this process."""
MAX_JOB = 64 * 1024
"""Bytes of a job at most."""
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS}


class ForkServer:
    """Forks for as long as somebody holds the other end of `jobs`.

    When a process has ended its line gets `{"ended": n}`, n as in `subprocess.Popen.returncode`. Whoever closes a line
    has its process ended, with all that this has started.
    """

    def __init__(self, jobs: socket.socket, main: Callable[[str], None]) -> None:
        self._jobs = jobs
        self._main = main
        self._lines: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Run until nobody is there who could want a process, and none runs."""
        ends, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(ends, selectors.EVENT_READ)
        self._selector.register(self._jobs, selectors.EVENT_READ)
        while self._lines or self._takes_jobs:
            for key, _ in self._selector.select():
                if key.fileobj is self._jobs:
                    self._take()
                elif key.fileobj == ends:
                    os.read(ends, MAX_JOB)
                else:
                    self._let_go(key.data)
            self._reap()

    @property
    def _takes_jobs(self) -> bool:
        return self._jobs.fileno() >= 0

    def _take(self) -> None:
        if not self._takes_jobs:  # it was closed for a crash in the same round
            return
        job, lines, _, _ = socket.recv_fds(self._jobs, MAX_JOB, 1)
        if not job:
            self._stop_taking()
            for pid in self._lines:
                _kill(pid)
            return
        line = socket.socket(fileno=lines[0])
        try:
            pid = os.fork()
        except OSError:  # too many processes: that nothing ever comes on the line says so
            line.close()
            return
        if not pid:
            self._work(job.decode(), line)
        self._lines[pid] = line
        self._selector.register(line, selectors.EVENT_READ, pid)

    def _work(self, job: str, line: socket.socket) -> None:
        status = 1
        try:
            _become(line)
            self._main(job)
            status = 0
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else 1
        finally:
            os._exit(status)

    def _let_go(self, pid: int) -> None:
        """Nobody waits at the other end, or the process itself has something to say to us, which it has not."""
        if pid in self._lines:
            self._selector.unregister(self._lines[pid])
            _kill(pid)

    def _reap(self) -> None:
        for pid in list(self._lines):
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                continue
            _kill(pid)  # its family, before its number may be another's
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            with self._lines.pop(pid) as line:
                with suppress(KeyError):
                    self._selector.unregister(line)
                with suppress(OSError):  # it is full, or nobody is there: it is not worth waiting for
                    line.send(json.dumps({"ended": status}).encode() + b"\n", socket.MSG_DONTWAIT)
            if -status in _CRASHES:
                # Every fork has the addresses of this process: whoever searches them gets one try at each.
                self._stop_taking()

    def _stop_taking(self) -> None:
        if self._takes_jobs:
            self._selector.unregister(self._jobs)
            self._jobs.close()


def _become(line: socket.socket) -> None:
    """Lead a session of its own, die with what it came from, and keep nothing open but the line, as standard output."""
    die_with_parent()
    _call_it("decoder")
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.dup2(line.fileno(), 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _call_it(name: str) -> None:
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name, encoding="ascii")


def _kill(pid: int) -> None:
    """End a process that nobody has waited for yet, and its group, once it leads one."""
    os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def run(module: str, *arguments: str) -> None:
    """Serve on standard input."""
    _call_it(NAME)
    main = importlib.import_module(module).main
    jobs = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    gc.collect()
    gc.freeze()  # what a fork's collector does not touch stays shared
    ForkServer(jobs, lambda job: main(job, *arguments)).serve()


if __name__ == "__main__":
    run(*sys.argv[1:])
