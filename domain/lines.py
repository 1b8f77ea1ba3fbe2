"""Breaking words into the lines of a subtitle; widths are counted in columns, and times are not looked at."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from domain.transcript import Word, join_words

_CLAUSE_MARKS = frozenset(",;:，、；：؛،–—")  # noqa: RUF001 - full-width marks are what this is about
_MARK_BONUS = 8
"""Columns by which lines may be less even if that lets one end with a mark."""


def width(text: str) -> int:
    """Count columns: two for a full-width character, none for a combining one.

    >>> width("abc"), width("日本")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    return sum(2 if wide(char) else 0 if unicodedata.combining(char) else 1 for char in text)


def wide(char: str) -> bool:
    """Whether the character is full-width, as in Chinese, Japanese and Korean."""
    return unicodedata.east_asian_width(char) in "WF"


def ends_clause(word: Word) -> bool:
    """Whether a comma or its like ends the word."""
    return word.text[-1:] in _CLAUSE_MARKS


def columns(word: Word, *, first: bool) -> int:
    """Columns that the word takes on a line, with its space unless it is the first there."""
    return width(word.text) + (not first and not word.glued)


def fill(words: Iterable[Word], limit: int) -> Iterator[list[Word]]:
    """Fill line after line up to `limit` columns; only a single wider word overflows, on a line of its own."""
    line: list[Word] = []
    used = 0
    for word in words:
        more = columns(word, first=not line)
        if line and used + more > limit:
            yield line
            line, used, more = [], 0, columns(word, first=True)
        line.append(word)
        used += more
    if line:
        yield line


def even_lines(words: Sequence[Word], limit: int) -> tuple[str, ...]:
    """Write the words on as few lines as hold them, about equally long, rather broken after a mark."""
    lines: list[str] = []
    while (count := _lines(words, limit)) > 1:
        cut = _first_cut(words, limit, count)
        lines.append(join_words(words[:cut]))
        words = words[cut:]
    return (*lines, join_words(words))


def _lines(words: Sequence[Word], limit: int) -> int:
    return sum(1 for _ in fill(words, limit))


def _first_cut(words: Sequence[Word], limit: int, count: int) -> int:
    """Return how many of the words to put on the first of `count` lines, the fewest that hold them all."""
    used = list(accumulate(columns(word, first=not index) for index, word in enumerate(words)))

    def unevenness(cut: int) -> float:
        return abs(used[cut - 1] - used[-1] / count) - _MARK_BONUS * ends_clause(words[cut - 1])

    fitting = [cut for cut in range(1, len(words)) if cut == 1 or used[cut - 1] <= limit]
    return next(cut for cut in sorted(fitting, key=unevenness) if _lines(words[cut:], limit) < count)
