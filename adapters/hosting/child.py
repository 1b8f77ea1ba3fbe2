"""Keeps one killable child for an adapter: starts it, ends it, replaces it, and decides what a failure leads to.

It must not know what the calls are about.
"""

import time
from collections.abc import Callable

import structlog
from structlog.contextvars import get_contextvars

from adapters.hosting.conversation import BEAT_SECONDS, converse, is_well
from adapters.hosting.devices import Devices
from adapters.hosting.idle import IdleClocks
from adapters.hosting.ladder import Ladder
from adapters.hosting.messages import Call, Done, Failed, Outcome
from adapters.hosting.notes import Notes
from adapters.hosting.policy import Hosting
from adapters.hosting.process import LEAVE_SECONDS, ChildGone, ChildProcess, ChildStuck
from adapters.hosting.symptoms import out_of_memory
from adapters.hosting.turns import Turns
from adapters.hosting.watchdog import Watchdog
from adapters.progress import Rising
from application.ports.system import ProgressSink
from domain.errors import EngineFailed

_CLOCKS = IdleClocks()
"""All idle children are watched by one thread."""
_CONTEXT = ("request_id", "task_id", "attempt", "trace_id", "span_id")


class EngineChild:
    """Calls methods of `adapter`, which is unloaded and can be pickled, in a process of its own.

    Thread-safe; calls wait for one another, first come, first served. The process starts with the first call and keeps
    the adapter, with all that it has loaded, until `close`, a failure, or a limit of `hosting`; the next call then
    starts a fresh one. `device` names the device that an adapter computes on.

    When memory runs out, the child is replaced by one with a reduced adapter, where the adapter is `Reducible`, and the
    call repeated. The reduced one then stays, in fresh children too, until it was idle for its time or closed, or
    `hosting.reduced_seconds` have passed: what took the memory may then be gone. When even the last step is too much,
    that call is at fault, and the next one starts at the top again.
    """

    def __init__(
        self,
        adapter: object,
        hosting: Hosting,
        *,
        devices: Devices | None = None,
        device: Callable[[object], str] = lambda _: "cpu",
        notes: Notes | None = None,
    ) -> None:
        self._ladder = Ladder(adapter, hosting.reduced_seconds)
        self._hosting = hosting
        self._devices = Devices() if devices is None else devices
        self._device = device
        self._notes = Notes() if notes is None else notes
        self._turns = Turns(beat=BEAT_SECONDS)
        self._process: ChildProcess | None = None
        self._watchdog = Watchdog(hosting.stall_seconds)
        self._idle_since = 0.0
        self._log = structlog.get_logger(engine=type(adapter).__name__)

    def start(self) -> None:
        """Start the child ahead of its first call, without waiting for it; during a call there is nothing to do.

        Raises:
            EngineFailed: `worker_crashed`, the process could not be started.
        """
        if not self._turns.taken and self._hosting.idle_seconds != 0:
            with self._turns.turn():
                self._running()
                self._rest()

    def close(self) -> None:
        """End the child, after the call that it may be busy with, and so give back all of its memory."""
        _CLOCKS.stop(self._end_idle)
        with self._turns.turn():
            self._retire()

    @property
    def holds(self) -> str | None:
        """The model in the child's memory: None for none, empty for the adapter's default. Waits for no call."""
        with self._turns.if_free() as mine:
            if mine and self._process is not None and not is_well(self._process):
                self._drop(grace=0)
        process = self._process
        return process.holds if process is not None and process.alive else None

    @property
    def load(self) -> int | None:
        """Bytes of memory that the child takes at its work; None when that cannot be told: it is not at work."""
        process = self._process
        return process.memory if process is not None and process.took else None

    @property
    def resident(self) -> int:
        """Bytes of memory that the child takes, shared ones too; 0 for none."""
        process = self._process
        return 0 if process is None else process.resident

    def call(self, method: str, *arguments: object, on_progress: ProgressSink) -> object:
        """Return what `outcome` has for a result."""
        return self.outcome(method, *arguments, on_progress=on_progress).result

    def outcome(self, method: str, *arguments: object, on_progress: ProgressSink, model: str = "") -> Outcome:
        """Return what `method` returns for the arguments and a progress sink.

        `model` is the one that the call needs, for `holds` to tell afterwards.
        `on_progress` is called at least twice a second; when it raises, the child is killed and the error passed on.

        Raises:
            ColloquyError: as the adapter raised it.
            EngineFailed: `engine_failed` or `out_of_memory` for any other error of the adapter, `worker_crashed` when
                its process died, `engine_hung` when it made no progress for too long.
            DeviceUnavailable: its device is out of service.
        """
        report = Rising(on_progress)  # a call that is repeated begins at 0 again
        with self._turns.turn(while_waiting=lambda: report(0.0)):
            if self._ladder.over:
                self._retire()
            try:
                while True:
                    device = self._device(self._ladder.engine)
                    self._devices.require(device)
                    process, answer = self._converse(Call(method, arguments, _context()), report, device)
                    if isinstance(answer, Done):
                        break
                    self._learn(method, process, answer)
                self._devices.worked(device)
                self._notes.loaded(process.loads)
                process.holds = model
                outcome = Outcome(answer.result, self._ladder.sentences)
                self._recycle(process)
                return outcome
            finally:
                self._rest()

    def _running(self) -> ChildProcess:
        if self._process is not None and not self._process.alive:
            output = self._process.output
            self._notes.replaced("died_idle")
            self._log.warning("engine child died while idle", ending=self._drop(), output=output)
        if self._process is None:
            try:
                self._process = ChildProcess.start(self._ladder.pickled, self._hosting)
            except (OSError, RuntimeError) as exc:  # the latter is Python's word for too many threads
                raise EngineFailed("the engine's process could not be started", code="worker_crashed") from exc
        return self._process

    def _drop(self, *, grace: float = LEAVE_SECONDS) -> str:
        process, self._process = self._process, None
        if process is None:
            return ""
        self._notes.loaded(process.loads)
        return process.end(grace=grace)

    def _retire(self) -> None:
        self._drop()
        self._ladder.climb()

    def _learn(self, method: str, process: ChildProcess, answer: Failed) -> None:
        """Return when the call is worth repeating, with less; else raise what was answered."""
        self._log.warning("engine call failed", call=method, code=answer.error.reason, trace=answer.trace)
        memory = answer.error.reason == "out_of_memory"
        # What filled the memory goes with its process; one that has no adapter is of no use.
        if memory or not process.ready:
            self._notes.replaced("out_of_memory" if memory else "not_ready")
            self._drop(grace=0)
        if not memory:
            raise answer.error
        if not (self._hosting.reducible and self._ladder.descend()):
            self._ladder.climb()
            raise answer.error
        self._notes.did_with_less(len(self._ladder.sentences))
        self._log.warning("engine reduced for want of memory", call=method, step=self._ladder.sentences[-1])

    def _recycle(self, process: ChildProcess) -> None:
        if self._hosting.worn(process.calls, process.memory):
            self._notes.replaced("recycled")
            self._log.info("engine child recycled", calls=process.calls, memory=process.memory)
            self._drop()

    def _rest(self) -> None:
        """Have the child ended when it has been idle for its time."""
        seconds = self._hosting.idle_seconds
        if seconds is None or self._process is None:
            return
        self._idle_since = time.monotonic()
        if seconds == 0:
            self._drop()
        else:
            _CLOCKS.wind(self._end_idle, seconds)

    def _end_idle(self) -> None:
        if self._turns.taken:  # whoever has the turn winds the clock again
            return
        with self._turns.turn():
            idle = time.monotonic() - self._idle_since
            if self._process is not None and idle >= (self._hosting.idle_seconds or 0):
                self._log.info("engine child ended for idleness", idle=round(idle, 1), memory=self._process.memory)
                self._retire()

    def _converse(self, call: Call, on_progress: ProgressSink, device: str) -> tuple[ChildProcess, Done | Failed]:
        process = self._running()
        self._notes.loaded(process.loads)
        kept, process.took = process.ready, False
        try:
            return process, converse(process, call, self._watchdog, on_progress, by_cpu=device == "cpu")
        except ChildGone as exc:
            ending = self._drop()
            self._log.warning("engine child died", call=call.method, ending=ending, output=process.output)
            if kept and not process.took:  # of something before this call, which a fresh child may well do
                self._notes.replaced("died_idle")
                return self._converse(call, on_progress, device)
            if out_of_memory(process.output):  # native code seldom raises: it says so and aborts
                return process, Failed(EngineFailed("the engine ran out of memory", code="out_of_memory"), "")
            self._notes.replaced("device_error" if process.sticky else "crashed")
            if process.sticky:
                self._devices.failed(device)
            raise EngineFailed(f"the engine's process {ending}", code="worker_crashed") from exc
        except ChildStuck as exc:
            process.abort()
            self._drop(grace=0)
            self._notes.replaced("hung")
            self._log.warning("engine child hung", call=call.method, why=str(exc), output=process.output)
            raise EngineFailed("the engine made no progress for too long", code="engine_hung") from exc
        except BaseException:
            self._notes.replaced("stopped")
            self._drop(grace=0)
            raise


def _context() -> dict[str, str | int]:
    """Return what the log knows of who the call is for."""
    known = get_contextvars()
    return {name: known[name] for name in _CONTEXT if known.get(name) is not None}
