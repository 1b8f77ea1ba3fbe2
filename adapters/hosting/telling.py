"""What an engine child has to say: lines of JSON on its standard error, which its parent puts into the service's log.

Each names the request and the task that the child is at work for. Nothing is masked here: the parent does that.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

NAME = "engine"
_here: dict[str, str | int] = {}
"""What the call under way is done for; a child does one at a time, so that it holds for every thread."""


def tell(level: str, event: str, **fields: object) -> None:
    """Write one line."""
    line = {"level": level, "event": event, "pid": os.getpid(), "process": NAME, **_here, **fields}
    sys.stderr.write(json.dumps(line, default=str) + "\n")
    sys.stderr.flush()


@contextmanager
def about(context: Mapping[str, str | int]) -> Iterator[None]:
    """Say all inside of that request and task."""
    _here.update(context)
    try:
        yield
    finally:
        _here.clear()


def tell_all() -> None:
    """Have what the adapter logs, and the libraries that it uses, come out so."""
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    if structlog := sys.modules.get("structlog"):
        structlog.configure(
            processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, _as_fields],
            logger_factory=lambda *_: _Voice(),
        )


class _Libraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - whatever a library passed must not end its work
            message = str(record.msg)
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        tell(record.levelname.lower(), message, logger=record.name, trace=trace)


class _Voice:
    """Takes what structlog has put together, at any level."""

    def __getattr__(self, _: str) -> Any:  # noqa: ANN401 - structlog asks for the level's name
        return tell


def _as_fields(_: object, __: str, event: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
    event["trace"] = event.pop("exception", None)
    return (), event
