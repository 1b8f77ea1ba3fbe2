"""File names that callers give: made safe to show and to send back; never used as a path."""

import re
from urllib.parse import quote

from application.rendering.plain import one_line

MAX_LENGTH = 255
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._ -]")


def shown_name(raw: str) -> str:
    r"""Return the last component of `raw` without characters that could mislead whoever reads it.

    >>> shown_name("..\\..\\etc/pass\nwd.mp3")
    'pass wd.mp3'
    """
    return one_line(raw.replace("\\", "/").rpartition("/")[2])[:MAX_LENGTH]


def content_disposition(name: str, extension: str) -> str:
    r"""Offer a download as `name` with its suffix replaced by `extension` (RFC 6266, with RFC 8187 for other scripts).

    >>> content_disposition("Besprechung März.mp3", "srt")
    'attachment; filename="Besprechung M_rz.srt"; filename*=UTF-8\'\'Besprechung%20M%C3%A4rz.srt'
    """
    stem = shown_name(name).rpartition(".")[0] or shown_name(name) or "transcript"
    return attachment(f"{stem[: MAX_LENGTH - len(extension) - 1]}.{extension}")


def attachment(name: str) -> str:
    """Offer a download as `name`."""
    full = shown_name(name)
    plain = _NOT_PLAIN.sub("_", full)
    header = f'attachment; filename="{plain}"'
    return header if plain == full else f"{header}; filename*=UTF-8''{quote(full, safe='')}"
