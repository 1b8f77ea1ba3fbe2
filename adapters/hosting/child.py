"""Keeps one killable child for an adapter and supervises its calls: progress, stalls, cancellation, replacement.

It must not know what the calls are about.
"""

import pickle
import time
from collections import deque
from statistics import median

import structlog

from adapters.hosting.messages import Call, Done, Failed, Progress, Ready, Taken
from adapters.hosting.policy import Hosting
from adapters.hosting.process import LEAVE_SECONDS, ChildGone, ChildProcess, ChildStuck
from adapters.hosting.turns import Turns
from application.ports.system import ProgressSink
from domain.errors import EngineFailed

_BEAT_SECONDS = 0.25
"""How often the sink is called while nothing comes: cancellation reaches a busy child this fast."""
_PAUSE_SECONDS = 1.0
"""The most that one look at the clock may add to a silence, so that a suspended machine wakes up to living children."""
_PATIENCE = 10
"""Times its usual silence before a child counts as hung: engines differ in how often they report."""


class EngineChild:
    """Calls methods of `adapter`, which is unloaded and can be pickled, in a process of its own.

    Thread-safe; calls wait for one another, first come, first served. The process starts with the first call and keeps
    the adapter, with all that it has loaded, until `close`, a failure, or a limit of `hosting`; the next call then
    starts a fresh one.
    """

    def __init__(self, adapter: object, hosting: Hosting) -> None:
        self._adapter = pickle.dumps(adapter)
        self._hosting = hosting
        self._turns = Turns(beat=_BEAT_SECONDS)
        self._process: ChildProcess | None = None
        self._silences: deque[float] = deque(maxlen=32)
        self._log = structlog.get_logger(engine=type(adapter).__name__)

    def start(self) -> None:
        """Start the child ahead of its first call, without waiting for it; during a call there is nothing to do.

        Raises:
            EngineFailed: `worker_crashed`, the process could not be started.
        """
        if not self._turns.taken:
            with self._turns.turn():
                self._running()

    def close(self) -> None:
        """End the child, after the call that it may be busy with, and so give back all of its memory."""
        with self._turns.turn():
            self._drop()

    def call(self, method: str, *arguments: object, on_progress: ProgressSink) -> object:
        """Return what `method` returns for the arguments and a progress sink.

        `on_progress` is called at least twice a second; when it raises, the child is killed and the error passed on.

        Raises:
            ColloquyError: as the adapter raised it.
            EngineFailed: `engine_failed` or `out_of_memory` for any other error of the adapter, `worker_crashed` when
                its process died, `engine_hung` when it made no progress for too long.
        """
        with self._turns.turn(while_waiting=lambda: on_progress(0.0)):
            try:
                process, answer = self._converse(Call(method, arguments), on_progress)
            except BaseException:
                self._drop(grace=0)
                raise
            if isinstance(answer, Failed):
                self._log.warning("engine call failed", method=method, code=answer.error.reason, trace=answer.trace)
                # What filled the memory goes with its process; one that has no adapter is of no use.
                if answer.error.reason == "out_of_memory" or not process.ready:
                    self._drop(grace=0)
                raise answer.error
            self._recycle(process)
            return answer.result

    def _running(self) -> ChildProcess:
        if self._process is not None and not self._process.alive:
            output = self._process.output
            self._log.warning("engine child died while idle", ending=self._drop(), output=output)
        if self._process is None:
            try:
                self._process = ChildProcess.start(self._adapter, self._hosting)
            except (OSError, RuntimeError) as exc:  # the latter is Python's word for too many threads
                raise EngineFailed("the engine's process could not be started", code="worker_crashed") from exc
        return self._process

    def _drop(self, *, grace: float = LEAVE_SECONDS) -> str:
        process, self._process = self._process, None
        return "" if process is None else process.end(grace=grace)

    def _recycle(self, process: ChildProcess) -> None:
        limits = self._hosting
        worn = limits.max_calls is not None and process.calls >= limits.max_calls
        if worn or (limits.max_memory is not None and process.memory > limits.max_memory):
            self._log.info("engine child recycled", calls=process.calls, memory=process.memory)
            self._drop()

    def _converse(self, call: Call, on_progress: ProgressSink) -> tuple[ChildProcess, Done | Failed]:
        process = self._running()
        kept, process.took = process.ready, False
        try:
            return process, self._exchange(process, call, on_progress)
        except ChildGone as exc:
            ending = self._drop()
            self._log.warning("engine child died", method=call.method, ending=ending, output=process.output)
            if kept and not process.took:  # of something before this call, which a fresh child may well do
                return self._converse(call, on_progress)
            raise EngineFailed(f"the engine's process {ending}", code="worker_crashed") from exc
        except ChildStuck as exc:
            process.abort()
            self._drop(grace=0)
            self._log.warning("engine child hung", method=call.method, why=str(exc), output=process.output)
            raise EngineFailed("the engine made no progress for too long", code="engine_hung") from exc

    def _exchange(self, process: ChildProcess, call: Call, on_progress: ProgressSink) -> Done | Failed:
        fraction, silence, looked = 0.0, 0.0, time.monotonic()
        if process.ready:
            process.send(call)
        while True:
            on_progress(fraction)
            message = process.receive(_BEAT_SECONDS)
            now = time.monotonic()
            silence, looked = silence + min(now - looked, _PAUSE_SECONDS), now
            match message:
                case Ready():
                    process.ready = True
                    process.send(call)
                    silence = self._broken(silence)
                case Taken():
                    process.took = True
                case Progress() if message.fraction > fraction:  # saying the same again is no progress
                    fraction = message.fraction
                    silence = self._broken(silence)
                case Done():
                    self._broken(silence)
                    on_progress(message.fraction)
                    return message
                case Failed():
                    return message
                case _ if silence > self._longest_silence():
                    raise ChildStuck(f"no progress for {silence:.1f} s")

    def _broken(self, silence: float) -> float:
        self._silences.append(silence)
        return 0.0

    def _longest_silence(self) -> float:
        return max(self._hosting.stall_seconds, _PATIENCE * median(self._silences or (0.0,)))
