"""Telling a full disk from every other failure to write."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import StorageFull

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""The disk is full, the user's share of it is, or the file may not grow further."""


@contextmanager
def room() -> Iterator[None]:
    """Write inside this.

    Raises:
        StorageFull: there was no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull("there is no room left for the file") from error
        raise
