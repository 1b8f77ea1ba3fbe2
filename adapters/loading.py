"""Which models this process has brought into memory, and how long that took; nobody needs to ask.

An engine says so here, at home as in a process of its own; the program of such a process passes it on.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_loaded: deque[tuple[str, float]] = deque(maxlen=16)
"""An engine has one model at a time; where nobody asks, the latest are enough."""


@contextmanager
def loading(model: str) -> Iterator[None]:
    """Bring the model into memory inside this; of one that is named by its path the last part counts."""
    began = time.monotonic()
    yield
    _loaded.append((Path(model).name, time.monotonic() - began))


def take_loaded() -> list[tuple[str, float]]:
    """Return each model that was loaded since this was asked last, with its seconds."""
    taken = list(_loaded)
    _loaded.clear()
    return taken
