"""Text for searching: what is a term, where a text is cut into parts, and what is shown around a hit; nothing is kept.

A term is a run of letters, marks and digits, folded for case and width, of which the first `LONGEST` characters count.
In scripts that set no spaces each two characters in a row are one, so that any stretch of them can be found.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST = 64
"""Characters; no language's words are told apart only after that, and databases bound the length of a term."""
MOST_TERMS = 16
"""Terms of a query; each of them is a search of its own."""
PART = 8_000
"""Characters; a part is what a database reads to show a hit."""
AROUND = 60
"""Characters shown before and after a hit."""
_UNSPACED = (
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese and Japanese
)
_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}](?:[^\W_{_UNSPACED}]|[\u0300-\u036f\u0900-\u0dff])*")
_DENSE = re.compile(rf"[{_UNSPACED}]")


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part of a text, as it is shown, with its terms, each of them once."""

    text: str
    terms: tuple[str, ...]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _runs(text: str) -> Iterator[str]:
    return (found[0] for found in _RUN.finditer(_folded(text)))


def terms(text: str) -> tuple[str, ...]:
    """Return what a text can be found by, in order of first appearance.

    >>> terms("Größe, naïve 3 日本語!")
    ('grösse', 'naïve', '3', '日本', '本語', '語')
    """
    return tuple(dict.fromkeys(term for run in _runs(text) for term in _terms(run, last=1)))


def query_terms(query: str) -> tuple[str, ...]:
    """Return the terms that a text must have, each as a word or the beginning of one; empty where there is none.

    >>> query_terms('"Größe" OR -naïve 日本語; DROP')
    ('grösse', 'or', 'naïve', '日本', '本語', 'drop')
    """
    return tuple(dict.fromkeys(term for run in _runs(query) for term in _terms(run, last=0)))[:MOST_TERMS]


def _terms(run: str, *, last: int) -> Iterator[str]:
    """Give the terms of a run; of one without spaces also its last character, if `last`, or if it is the only one."""
    if _DENSE.match(run):
        yield from (run[at : at + 2] for at in range(max(1, len(run) - 1 + last)))
    else:
        yield run[:LONGEST]


def text_parts(lines: Iterable[str]) -> tuple[TextPart, ...]:
    """Join lines to parts of about `PART` characters; a longer line is cut at a space, where there is one."""
    parts: list[TextPart] = []
    held: list[str] = []
    size = 0
    for line in lines:
        for piece in _pieces(line):
            if held and size + len(piece) > PART:
                parts.append(_part(held))
                held, size = [], 0
            held.append(piece)
            size += len(piece) + 1
    return (*parts, *([_part(held)] if held else ()))


def _pieces(line: str) -> Iterator[str]:
    while len(line) > PART:
        cut = line.rfind(" ", 1, PART)
        cut = PART if cut < 0 else cut
        yield line[:cut]
        line = line[cut:].lstrip()
    if line:
        yield line


def _part(lines: list[str]) -> TextPart:
    text = " ".join(lines)
    return TextPart(text, terms(text))


def snippet(text: str, wanted: Iterable[str]) -> str:
    """Return the words of `text` around the first that begins with one of the terms; with … where more was said.

    >>> snippet("and so we shall see what the auditors say about it " * 9, ("audit",))[-40:]
    ' shall see what the auditors say about …'
    """
    start, end = next(_hits(text, tuple(wanted)), (0, 0))
    begin = max(text.rfind(" ", 0, max(0, start - AROUND)) + 1, start - 2 * AROUND, 0)
    finish = text.find(" ", end + AROUND)
    finish = min(len(text), end + 2 * AROUND if finish < 0 else finish)
    return f"{'… ' if begin else ''}{text[begin:finish].strip()}{' …' if finish < len(text) else ''}"


def _hits(text: str, wanted: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for found in _RUN.finditer(text):
        run, first = found[0], found.start()
        if not _DENSE.match(run):
            if _folded(run).startswith(wanted):
                yield found.span()
            continue
        for at in range(len(run)):
            if _folded(run[at : at + 2]).startswith(wanted):
                yield first + at, min(first + at + 2, found.end())
