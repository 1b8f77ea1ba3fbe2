"""The script of a scripted engine: what its calls cost and how they fail, as data and as a string in a setting.

It must not know what the engine answers.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from domain.errors import InvalidOptions

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
    HANG_BUSY = "hang_busy"


_AMOUNTS = frozenset({Kind.SLEEP, Kind.BURN, Kind.LOAD, Kind.LEAK})


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
    counted by each engine for itself. `device` is the one that the engine pretends to compute on.
    """

    acts: tuple[Act, ...] = field(default=())
    counter: Path | None = None
    device: str = "cpu"

    @classmethod
    def parse(cls, text: str) -> "Script":
        """Read `kind[:amount][@call | @<start>ms][x<times>]`, separated by `;`, `counter=<path>` and `device=<name>`.

        >>> Script.parse("sleep:0.05; segfault@3x1").acts[1]
        Act(kind=<Kind.SEGFAULT: 'segfault'>, amount=0.0, call=3, start=None, times=1)

        Raises:
            InvalidOptions: naming the item that is wrong.
        """
        items = [item.strip() for item in text.split(";") if item.strip()]
        named = dict(item.split("=", 1) for item in items if item.startswith(("counter=", "device=")))
        acts = tuple(_act(item) for item in items if not item.startswith(("counter=", "device=")))
        counter = named.get("counter")
        return cls(acts=acts, counter=Path(counter) if counter else None, device=named.get("device", "cpu"))

    def reduced(self, step: int) -> tuple["Script", str] | None:
        """Return the script after `step` steps down, counted from 1, and a sentence on that one.

        They are those of a real engine: half the batch, eight bits, the CPU instead of another device.
        """
        match step:
            case 1:
                return self, "a batch of 4 instead of 8, for want of memory"
            case 2:
                return self, "computed with 8 bits, for want of memory"
            case 3 if self.device != "cpu":
                return replace(self, device="cpu"), f"computed on the CPU instead of {self.device}, for want of memory"
            case _:
                return None

    @property
    def load_seconds(self) -> float:
        """What loading the pretended model takes."""
        return sum(act.amount for act in self.acts if act.kind is Kind.LOAD)


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
