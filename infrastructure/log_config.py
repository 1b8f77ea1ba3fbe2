"""How the process speaks: structured events, one line each, without secrets and without locals.

Standard error gets them for people or as JSON, a file of the process's own, where there is a folder, as JSON always.
"""

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, MutableMapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import structlog

from infrastructure.load_settings import secret_values
from infrastructure.log_settings import Log
from infrastructure.logs.console import ConsoleLines
from infrastructure.logs.ecs import EcsLines
from infrastructure.logs.event import Event, told
from infrastructure.logs.files import LogFile
from infrastructure.logs.hooks import Libraries, catch_the_uncaught
from infrastructure.logs.masking import Mask
from infrastructure.logs.upkeep import Upkeep
from infrastructure.settings import Settings

_MB = 1_000_000
_FILES = 16
"""Parts of LOG_MAX_MB at which a file begins anew, so that so many processes fit in while they write."""
_SECONDS = {"h": 3_600, "d": 86_400}

Lines = Callable[[Event], str]
_log = structlog.get_logger()


def start_logging(settings: Settings, process: str) -> None:
    """Set up the log of a process that goes on running; `process` names its file."""
    configure_logging(settings.log, process, secrets=secret_values(settings), folder=settings.log_folder)
    catch_the_uncaught()


def configure_logging(
    log: Log, process: str = "colloquy", *, secrets: Iterable[str] = (), folder: Path | None = None
) -> None:
    """Set up structlog, and the standard library's loggers beside it; with a `folder`, there is a file in it too."""
    level = getattr(logging, log.level.upper())
    file = None if folder is None else _file(log, process, folder)
    name = process if file is None else file.process
    ecs = EcsLines(name=name, host=socket.gethostname(), release=version("colloquy"), pid=os.getpid())
    lines = ecs if log.format == "json" else ConsoleLines(colours=sys.stderr.isatty())
    voice = _Voice(
        Mask(secrets), [(lines, _Standard(sys.stderr).write), *([] if file is None else [(ecs, file.write)])]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _current_error,
            _whole,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: voice,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[Libraries(voice.say)], level=max(level, logging.WARNING), force=True)


def _file(log: Log, process: str, folder: Path) -> LogFile:
    most = log.max_mb * _MB
    keep = None if log.keep == "forever" else float(log.keep[:-1]) * _SECONDS[log.keep[-1]]
    upkeep = Upkeep(folder, keep=keep, most=most)
    file = LogFile(folder, process, largest=most // _FILES, rotated=upkeep.wake)
    upkeep.start(file.look)
    return file


class _Voice:
    """Says an event to everyone who listens, each in its own form."""

    def __init__(self, mask: Mask, listeners: list[tuple[Lines, Callable[[str], None]]]) -> None:
        self._mask = mask
        self._listeners = listeners
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = self.say

    def say(self, event: Event) -> None:
        """Say it, without secrets."""
        safe = told(event, self._mask)
        for lines, write in self._listeners:
            write(lines(safe))


class _Standard:
    """Standard error, on which each line is written whole, and which may be gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._alone = threading.Lock()

    def write(self, line: str) -> None:
        with self._alone:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads it any more; that must not end what was worth saying
                return


def _current_error(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the error that is being handled where `exc_info=True` asks for it."""
    if event.get("exc_info") is True:
        event["exc_info"] = sys.exc_info()
    return event


def _whole(_: object, __: str, event: MutableMapping[str, Any]) -> tuple[tuple[Event], dict[str, Any]]:
    """Hand the event on as it is; how it looks is for who hears it."""
    return (dict(event),), {}
