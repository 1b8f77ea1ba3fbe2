"""What nobody caught and what libraries say goes through the log too: else it would pass every mask on its way out."""

import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import structlog
from structlog.contextvars import get_contextvars

from infrastructure.logs.event import Event

_log = structlog.get_logger()


class Libraries(logging.Handler):
    """Hands what is logged by way of the standard library to `say`."""

    def __init__(self, say: Callable[[Event], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say it; a record that cannot be put together is said as it came."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - whatever a library passed; its own handling would print all of it
            message = str(record.msg)
        stamp = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        self._say({
            **get_contextvars(), "event": message, "level": record.levelname.lower(), "timestamp": stamp,
            "logger": record.name, "exc_info": record.exc_info,
        })  # fmt: skip

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class calls it so
        """Say nothing: the standard library would print the record, and what is in it, as it is."""


def catch_the_uncaught() -> None:
    """Log what ends the process or a thread, what a destructor meets, and warnings."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    logging.captureWarnings(capture=True)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("uncaught", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        _log.critical("uncaught_in_thread", thread=args.thread and args.thread.name, exc_info=args.exc_value)


def _unraisable(args: Any) -> None:  # noqa: ANN401 - `sys.UnraisableHookArgs` exists for type checkers only
    _log.error("uncaught_in_destructor", exc_info=args.exc_value)
