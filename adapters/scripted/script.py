"""The script of a scripted engine: what its calls cost and how they fail, as data and as a string in a setting.

It must not know what the engine answers.
"""

import ctypes
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from application.ports.system import ProgressSink
from domain.errors import InvalidOptions

_HOUR = 3_600
_STEP_SECONDS = 0.05
_ITEM = re.compile(r"(?P<kind>\w+?)(?::(?P<amount>\d+(?:\.\d+)?))?(?:@(?P<at>\d+)(?P<ms>ms)?)?(?:x(?P<times>\d+))?")


class Kind(StrEnum):
    """What an act does; `SLEEP`, `BURN` and `LOAD` take seconds, `LEAK` takes megabytes."""

    SLEEP = "sleep"
    BURN = "burn"
    LOAD = "load"
    LEAK = "leak"
    RAISE = "raise"
    OOM_TORCH = "oom_torch"
    OOM_CTRANSLATE2 = "oom_ctranslate2"
    STICKY_CUDA = "sticky_cuda"
    SEGFAULT = "segfault"
    HANG_GIL_FREE = "hang_gil_free"
    HANG_GIL_HELD = "hang_gil_held"
    HANG_IN_C = "hang_in_c"


_AMOUNTS = frozenset({Kind.SLEEP, Kind.BURN, Kind.LOAD, Kind.LEAK})
_ERRORS = {
    Kind.RAISE: "scripted failure",
    Kind.OOM_TORCH: "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 7.79 GiB",
    Kind.OOM_CTRANSLATE2: "CUDA failed with error out of memory",
    Kind.STICKY_CUDA: "CUDA error: an illegal memory access was encountered",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that calls do: all of them, the `call`-th one (from 1), or those for the window that starts at `start`.

    `times` bounds how often it happens at all; None means always. `amount` is in the unit of the kind.
    """

    kind: Kind
    amount: float = 0.0
    call: int | None = None
    start: int | None = None
    times: int | None = None

    def due(self, *, call: int, start: int, done: int) -> bool:
        """Whether it happens in this call, after it happened `done` times."""
        return (
            self.kind is not Kind.LOAD
            and self.call in {None, call}
            and self.start in {None, start}
            and (self.times is None or done < self.times)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Acts in their order. `counter` is a file that every load, call and act adds a line to.

    With it, calls and times are counted across processes, which faults that end the process need; without it they are
    counted by each engine for itself.
    """

    acts: tuple[Act, ...] = field(default=())
    counter: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "Script":
        """Read `kind[:amount][@call | @<start>ms][x<times>]`, separated by `;`, and `counter=<path>`.

        >>> Script.parse("sleep:0.05; segfault@3x1").acts[1]
        Act(kind=<Kind.SEGFAULT: 'segfault'>, amount=0.0, call=3, start=None, times=1)

        Raises:
            InvalidOptions: naming the item that is wrong.
        """
        items = [item.strip() for item in text.split(";") if item.strip()]
        counters = [Path(item.removeprefix("counter=")) for item in items if item.startswith("counter=")]
        acts = tuple(_act(item) for item in items if not item.startswith("counter="))
        return cls(acts=acts, counter=counters[-1] if counters else None)

    @property
    def load_seconds(self) -> float:
        """What loading the pretended model takes."""
        return sum(act.amount for act in self.acts if act.kind is Kind.LOAD)


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


def _forever(sleep: Callable[[int], object]) -> None:
    while True:
        sleep(_HOUR)


def _act(item: str) -> Act:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise InvalidOptions(f"cannot read {item!r}: expected kind[:amount][@call or @<start>ms][x<times>]")
    if found["kind"] not in _values(Kind):
        raise InvalidOptions(f"unknown kind {found['kind']!r} in {item!r}: expected one of {', '.join(_values(Kind))}")
    kind = Kind(found["kind"])
    if (kind in _AMOUNTS) is not (found["amount"] is not None):
        raise InvalidOptions(f"{kind} takes {'an' if kind in _AMOUNTS else 'no'} amount, unlike {item!r}")
    at = None if found["at"] is None else int(found["at"])
    return Act(
        kind=kind,
        amount=float(found["amount"] or 0),
        call=None if found["ms"] else at,
        start=at if found["ms"] else None,
        times=None if found["times"] is None else int(found["times"]),
    )


def _values(kinds: Iterable[Kind]) -> list[str]:
    return [kind.value for kind in kinds]
