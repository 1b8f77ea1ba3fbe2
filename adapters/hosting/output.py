"""What a child writes to its standard output and error: the last lines are kept, what an adapter logs is logged here.

It must not fill up, whatever is written.
"""

import json
import threading
from collections import deque

import structlog

_TAIL_LINES = 40
_LINE_CHARACTERS = 1_000
_EVENT_CHARACTERS = 64_000

_LEVELS = {"debug", "info", "warning", "error", "critical"}
_log = structlog.get_logger()


class Output:
    """Reads from the descriptor `source`, which it closes, in a thread of its own until the last writer is gone."""

    def __init__(self, source: int) -> None:
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._listener = threading.Thread(target=self._listen, args=(source,), daemon=True, name="engine-output")
        self._listener.start()

    @property
    def tail(self) -> str:
        """The last lines."""
        return "".join(self._tail)

    def join(self, seconds: float) -> None:
        """Wait for what was written last."""
        self._listener.join(seconds)

    def _listen(self, source: int) -> None:
        with open(source, encoding="utf-8", errors="replace") as lines:
            while line := lines.readline(_LINE_CHARACTERS):
                if line.startswith("{") and not line.endswith("\n"):
                    line += lines.readline(_EVENT_CHARACTERS)
                if not (line.startswith("{") and _relay(line)):
                    self._tail.append(line[:_LINE_CHARACTERS])


def _relay(line: str) -> bool:
    """Put into our own log what was logged in the child; return whether that is all there is to it."""
    try:
        fields = json.loads(line)
        event, level = str(fields.pop("event")), fields.pop("level")
        if level not in _LEVELS:
            return False
        getattr(_log, level)(event, **fields)
    except Exception:  # noqa: BLE001 - somebody else's output; who stops reading here stops the child
        return False
    return level in {"debug", "info"}  # what else was said may tell later why the child died
