"""Which names blobs may have: none that leaves the store, hides in it, or means something else to a file system."""

import re

_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
_KEY = re.compile(rf"{_PART}(/{_PART}){{0,7}}")


def checked(key: str) -> str:
    """Return `key`.

    Raises:
        ValueError: it is not a key.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a blob key: {key!r}")
    return key


def folder_of(prefix: str) -> str:
    """Return the folder part of what keys may start with, "" for the top.

    Raises:
        ValueError: no key can start so.
    """
    folder = prefix.rpartition("/")[0]
    return checked(folder) if folder else ""
