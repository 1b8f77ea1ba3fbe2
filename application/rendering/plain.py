"""Making one harmless line of whatever was heard or typed; what only one format gives a meaning to is escaped there."""

import re

from domain.transcript import Transcript

UNKNOWN = "unknown"
"""Shown for a stretch whose speaker nobody found, in a transcript that has speakers."""

_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters (the ESC of terminal sequences among them), direction overrides and isolates, byte order marks,
lone surrogates. Joiners and plain direction marks stay: Persian, Indic scripts and emoji need them."""
_TOKEN_LOOKALIKES = str.maketrans({'"': "'", "<": "(", ">": ")"})
"""Readers take `"` for the start of a quotation, and `<NA>` for nothing."""


def one_line(text: str) -> str:
    """Return the text without what cannot be seen, every run of spaces, tabs and line breaks as one space."""
    return " ".join(_UNSEEN.sub("", text).split())


def one_token(text: str) -> str:
    """Return the text as one field of a line that spaces separate; never empty."""
    return "_".join(one_line(text).translate(_TOKEN_LOOKALIKES).split()) or "_"


def has_speakers(transcript: Transcript) -> bool:
    """Whether anything in the transcript was given to a speaker."""
    return any(segment.speaker is not None for segment in transcript.segments)


def clock(ms: int, mark: str = ".") -> str:
    """Write `HH:MM:SS.mmm`; hours take as many digits as they need.

    >>> clock(3_723_004, ",")
    '01:02:03,004'
    """
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"
