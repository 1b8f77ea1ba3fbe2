"""What the processes of a running installation hold and spend, by what they do; read from `/proc`."""

import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 0.25
_LIBRARIES = (
    ("asr", r"ctranslate2|pocketsphinx|sherpa_onnx"),
    ("vad", "onnxruntime"),
    ("diarization", "_umfpack|scipy"),
)
"""A child is known by what it has loaded; the first that fits, for recognisers bring a runtime of others along."""


@dataclass(slots=True)
class Held:
    """The most that one kind of process held, in MB, and what it has spent, in seconds of processor time."""

    resident: float = 0.0
    proportional: float = 0.0
    private: float = 0.0
    seconds: float = 0.0


@dataclass(slots=True)
class Watch:
    """Looks at the processes below some roots until it is left; `held` says what was seen."""

    roots: dict[str, int]
    held: dict[str, Held] = field(default_factory=dict)
    _spent: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._look()
        self._thread = threading.Thread(target=self._forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        self._look()
        for (name, _pid), (first, last) in self._spent.items():
            self.held[name].seconds += last - first

    def _forever(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        for name, root in self.roots.items():
            self._note(name, root, new=False)
            for pid in _below(root):
                self._note(role(pid), pid, new=True)

    def _note(self, name: str, pid: int, *, new: bool) -> None:
        try:
            memory, spent = _memory(pid), _seconds(pid)
        except (OSError, ValueError):  # it has ended
            return
        seen = self.held.setdefault(name, Held())
        seen.resident = max(seen.resident, memory["Rss"])
        seen.proportional = max(seen.proportional, memory["Pss"])
        seen.private = max(seen.private, memory["Private_Clean"] + memory["Private_Dirty"])
        # What was there before has spent before; what came later spent all of it here.
        first, _ = self._spent.get((name, pid), (0.0 if new and self._thread else spent, 0.0))
        self._spent[name, pid] = (first, spent)


def role(pid: int) -> str:
    """What a process below a worker is for."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "ended"
    if b"adapters.hosting.main" not in command:
        return "decoder"
    return next((name for name, library in _LIBRARIES if re.search(library, maps)), "starting")


def _below(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        found = [int(child) for each in lists for child in each.read_text(encoding="ascii").split()]
    except OSError:
        return []
    return [*found, *(deeper for child in found for deeper in _below(child))]


def _memory(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {name: int(rest.split()[0]) / 1000 for name, _, rest in (line.partition(":") for line in lines)}


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def private(pid: int) -> float:
    """MB that this process alone holds."""
    memory = _memory(pid)
    return memory["Private_Clean"] + memory["Private_Dirty"]


def spent(pid: int) -> float:
    """Seconds of processor time of a process, of all that it has started, and of those of them that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        lists = [each.read_text(encoding="ascii") for each in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has ended since it was listed
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS + sum(spent(int(child)) for each in lists for child in each.split())
