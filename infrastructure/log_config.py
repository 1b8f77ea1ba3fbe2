"""How the process speaks: structured events on standard error, one line each, without secrets and without locals."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from infrastructure.settings import Log

_SECRET = re.compile(r"cq_[0-9A-Za-z]{8,}|(?<=[Bb]earer )\S+|hf_[0-9A-Za-z]{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]*")


def configure_logging(log: Log) -> None:
    """Set up structlog, and the standard library's loggers through it."""
    level = getattr(logging, log.level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Any]
    if log.format == "json":
        renderer = [structlog.processors.dict_tracebacks, _masked, structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.plain_traceback
        renderer = [_masked, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer,
    ]))  # fmt: skip
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def _masked(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank out keys and tokens wherever they stand, so that no call site has to think of it."""
    return {name: _SECRET.sub("********", value) if isinstance(value, str) else value for name, value in event.items()}
