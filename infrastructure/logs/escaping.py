"""What a caller wrote cannot break a line, colour a terminal, or turn its direction: such characters are spelt out.

Text stays readable in every language; nothing here knows what is secret.
"""

import re

_SPELT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_STEERING = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, an escape among them
    r"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # separators of lines, marks of direction, what has no width
    r"\ud800-\udfff"  # halves of characters, from file names that are no UTF-8
)
_ANYWHERE = re.compile(f"[{_STEERING}\t\n]")
_IN_LINES = re.compile(f"[{_STEERING}]")


def one_line(text: str) -> str:
    r"""Return the text with all that steers spelt out, as `\n` or `\u202e`."""
    return _ANYWHERE.sub(_spelt, text)


def lines(text: str) -> str:
    """Do the same, but leave line feeds and tabs: for traces and what processes have said."""
    return _IN_LINES.sub(_spelt, text)


def _spelt(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SPELT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004 - a byte
