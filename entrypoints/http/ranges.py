"""Which bytes a request asks for (RFC 9110, section 14), and what a recording may be served as."""

import re
from pathlib import PurePosixPath

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_TYPES = {
    "aac": "audio/aac", "aif": "audio/aiff", "aiff": "audio/aiff", "amr": "audio/amr", "avi": "video/x-msvideo",
    "flac": "audio/flac", "m4a": "audio/mp4", "mka": "audio/x-matroska", "mkv": "video/x-matroska",
    "mov": "video/quicktime", "mp3": "audio/mpeg", "mp4": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpeg",
    "oga": "audio/ogg", "ogg": "audio/ogg", "ogv": "video/ogg", "opus": "audio/ogg", "wav": "audio/wav",
    "weba": "audio/webm", "webm": "video/webm", "wma": "audio/x-ms-wma", "wmv": "video/x-ms-wmv",
}  # fmt: skip


class UnsatisfiableRange(Exception):
    """The range lies behind the end."""


def wanted_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last, or None for the whole.

    What cannot be read, and several ranges at once, mean the whole too, as the RFC allows.

    >>> wanted_range("bytes=10-19", 100), wanted_range("bytes=-5", 100), wanted_range("bytes=90-", 100)
    ((10, 20), (95, 100), (90, 100))

    Raises:
        UnsatisfiableRange: it is behind the end.
    """
    found = _RANGE.fullmatch(header.strip().lower())
    if not found or found[1] == found[2] == "":
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size or start >= end:
        raise UnsatisfiableRange
    return start, end


def media_type(filename: str) -> str:
    """Return what a recording of that name may be called: never anything that a browser would run."""
    return _TYPES.get(PurePosixPath(filename.lower()).suffix.removeprefix("."), "application/octet-stream")
