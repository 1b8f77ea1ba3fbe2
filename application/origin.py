"""Whose request is being served here and now, for what is made of it and for what is said meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from structlog.contextvars import bound_contextvars

from domain.origin import Origin

NOBODY = Origin()
"""What was not asked for by a request: chores, and what the command line does."""
_origin: ContextVar[Origin] = ContextVar("origin", default=NOBODY)


def current_origin() -> Origin:
    """Return the request that this is done for."""
    return _origin.get()


@contextmanager
def serving(origin: Origin) -> Iterator[None]:
    """Do all inside for that request, in this task and the threads that it lends: each line of the log names it."""
    before = _origin.set(origin)
    try:
        with bound_contextvars(request_id=origin.request_id or None):
            yield
    finally:
        _origin.reset(before)
