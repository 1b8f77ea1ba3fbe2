"""How much memory this process and all below it take at most; it must not slow down what it watches."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_STEP_SECONDS = 0.2
"""Loading a model takes longer; a look costs a few milliseconds a process."""


class PeakMemory:
    """Watches, as a context; afterwards `bytes` is the largest sum seen.

    A page that n processes share counts as 1/n of it in each (`Pss`). Memory on a GPU is not counted.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(_STEP_SECONDS):
            self.bytes = max(self.bytes, sum(map(_proportional, _below(os.getpid()))))


def _below(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):  # it ended meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in (thread / "children").read_text(encoding="ascii").split():
                    yield from _below(int(child))


def _proportional(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:  # it ended meanwhile
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)
