"""A script being performed: what it has for each load and call is paid for, or goes wrong, here.

It must not know what the engine answers.
"""

import ctypes
import time
from collections.abc import Callable

from adapters.loading import loading
from adapters.scripted.script import Act, Kind, Script
from application.ports.system import ProgressSink

_HOUR = 3_600
_STEP_SECONDS = 0.05
_ERRORS = {
    Kind.RAISE: "scripted failure",
    Kind.OOM_TORCH: "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 7.79 GiB",
    Kind.OOM_CTRANSLATE2: "CUDA failed with error out of memory",
    Kind.STICKY_CUDA: "CUDA error: an illegal memory access was encountered",
}


class Performance:
    """A script being performed by one engine."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._lines: list[str] = []
        self._leaked: list[bytes] = []
        self._loaded = False

    def load(self) -> None:
        """Pay for loading, once."""
        if not self._loaded:
            with loading("scripted"):
                time.sleep(self._script.load_seconds)
            self._note("load")
            self._loaded = True

    def call(self, start: int, end: int, on_progress: ProgressSink) -> None:
        """Do what the script has for a call on [start, end) ms; the progress of several acts never falls."""
        reached = 0.0

        def advance(fraction: float) -> None:
            nonlocal reached
            reached = max(reached, fraction)
            on_progress(reached)

        self.load()
        self._note(f"call {start} {end}")
        lines = self._counted()
        ordinal = sum(line.startswith("call ") for line in lines)
        for number, act in enumerate(self._script.acts):
            name = f"act {number}"
            if act.due(call=ordinal, start=start, done=lines.count(name)):
                self._note(name)
                self._perform(act, advance)

    def _perform(self, act: Act, on_progress: ProgressSink) -> None:
        match act.kind:
            case Kind.SLEEP:
                _spend(act.amount, time.monotonic, on_progress)
            case Kind.BURN:
                _spend(act.amount, time.thread_time, on_progress)
            case Kind.LEAK:
                self._leaked.append(b"\x01" * int(act.amount * 1_000_000))
            case Kind.SEGFAULT:
                ctypes.string_at(0)
            case Kind.HANG_GIL_FREE:
                _forever(time.sleep)
            case Kind.HANG_GIL_HELD:
                _forever(ctypes.PyDLL(None).sleep)  # unlike CDLL, PyDLL keeps the GIL while in C
            case Kind.HANG_IN_C:
                _forever(ctypes.CDLL(None).sleep)
            case Kind.HANG_BUSY:
                _forever(range)
            case _:
                raise RuntimeError(_ERRORS[act.kind])

    def _note(self, line: str) -> None:
        if self._script.counter is None:
            self._lines.append(line)
        else:
            with self._script.counter.open("a", encoding="ascii") as file:
                file.write(f"{line}\n")

    def _counted(self) -> list[str]:
        counter = self._script.counter
        return list(self._lines) if counter is None else counter.read_text(encoding="ascii").splitlines()


def _spend(seconds: float, clock: Callable[[], float], on_progress: ProgressSink) -> None:
    begun = clock()
    while (spent := clock() - begun) < seconds:
        on_progress(spent / seconds)
        if clock is time.monotonic:
            time.sleep(min(_STEP_SECONDS, seconds - spent))
        else:
            sum(range(10_000))


def _forever(pass_time: Callable[[int], object]) -> None:
    while True:
        pass_time(_HOUR)
