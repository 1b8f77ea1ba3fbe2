"""The program of an engine child: holds one adapter and does one call after another for the parent that started it.

It must never outlive that parent, and imports nothing that its adapter does not ask for.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol, runtime_checkable

from adapters.hosting.messages import STICKY_ERROR_EXIT, Call, Done, Failed, Loaded, Progress, Ready, Taken
from adapters.hosting.symptoms import out_of_memory, sticky
from adapters.hosting.telling import about, tell, tell_all
from domain.errors import ColloquyError, EngineFailed, EngineUnavailable

_PR_SET_PDEATHSIG = 1
_RELAY_SECONDS = 0.1
_TRACE_CHARACTERS = 8_000


@runtime_checkable
class Loadable(Protocol):
    """An adapter that can bring its vendor's libraries and its default model into memory before the first call."""

    def load(self) -> None:
        """Load now what the first call would load."""


class _Relay:
    """The progress sink of a call: passes fractions on, but at most ten a second."""

    def __init__(self, connection: "Connection[object, object]") -> None:
        self.latest = 0.0
        self._connection = connection
        self._sent = 0.0

    def __call__(self, fraction: float) -> None:
        self.latest = fraction
        now = time.monotonic()
        if now - self._sent >= _RELAY_SECONDS:
            self._sent = now
            self._connection.send(Progress(fraction))


def main() -> None:
    """Serve the parent with process id `argv[1]` over the socket with descriptor `argv[2]`, until it hangs up."""
    parent, descriptor, preload = (int(argument) for argument in sys.argv[1:4])
    _die_with(parent)
    threading.Thread(target=_leave_at_hangup, args=(descriptor,), daemon=True).start()
    # Recordings are private: memory that holds them is never written to a core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # when memory runs out, the kernel shall end an engine and not its supervisor
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    _serve(Connection(descriptor), preload=bool(preload))


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies: it works even while native code holds the GIL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be watched
        os._exit(1)


def _leave_at_hangup(descriptor: int) -> None:
    """Exit as soon as the parent's end is closed, whatever the main thread does.

    Without the interpreter's shutdown: tearing down OpenMP pools and GPU runtimes is known to deadlock.
    """
    hangup = select.poll()
    hangup.register(descriptor, select.POLLRDHUP)
    hangup.poll()
    os._exit(0)


def _serve(connection: "Connection[object, object]", *, preload: bool) -> None:
    try:
        adapter = connection.recv()
    except Exception as exc:  # noqa: BLE001 - whatever unpickling raises, the parent must learn of it
        connection.send(_failure(exc))
        return
    tell_all()
    loaded = False
    if preload and isinstance(adapter, Loadable):
        try:
            adapter.load()
            loaded = True
        except Exception:  # noqa: BLE001 - the first call will meet the same error and report it
            traceback.print_exc()
    _tell_loaded(connection)
    connection.send(Ready(loaded))
    while isinstance(call := connection.recv(), Call):
        connection.send(Taken())
        with about(call.context):
            _answer(connection, adapter, call)


def _answer(connection: "Connection[object, object]", adapter: object, call: Call) -> None:
    relay, began = _Relay(connection), time.monotonic()
    try:
        result = getattr(adapter, call.method)(*call.arguments, relay)
        _tell_loaded(connection)
        tell("info", "engine_call", call=call.method, milliseconds=round((time.monotonic() - began) * 1000))
        connection.send(Done(result, relay.latest))
    except Exception as exc:  # noqa: BLE001 - whatever a vendor raises, the parent must learn of it
        connection.send(_failure(exc))


def _tell_loaded(connection: "Connection[object, object]") -> None:
    """Pass on what the adapter says that it has loaded, if it says such things."""
    if said := sys.modules.get("adapters.loading"):
        for model, seconds in said.take_loaded():
            connection.send(Loaded(model, seconds))


def _failure(exc: Exception) -> Failed:
    """Translate an error for the caller, or leave the process at once when it would fail for ever."""
    trace = "".join(traceback.format_exception(exc))[-_TRACE_CHARACTERS:]
    causes = tuple(_causes(exc))
    texts = " ".join(str(cause) for cause in causes)
    if sticky(texts) and not any(isinstance(cause, MemoryError) for cause in causes):
        sys.stderr.write(trace)
        sys.stderr.flush()
        os._exit(STICKY_ERROR_EXIT)
    # An adapter translates what it does not know to a plain failure, or to weights that cannot be loaded.
    vague = not isinstance(exc, ColloquyError) or exc.reason in {EngineFailed.code, EngineUnavailable.code}
    if vague and (out_of_memory(texts) or any(isinstance(cause, MemoryError) for cause in causes)):
        return Failed(EngineFailed("the engine ran out of memory", code="out_of_memory"), trace)
    if isinstance(exc, ColloquyError):
        return Failed(exc, trace)
    return Failed(EngineFailed("the engine failed"), trace)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()  # a vendor may raise an error from itself
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__


if __name__ == "__main__":
    # A parent that hangs up while the main thread reads or writes; the watching thread may be a moment later.
    with contextlib.suppress(EOFError, ConnectionError):
        main()
    os._exit(0)
