"""Giving words times they can be trusted to have: inside their segment, in order; it never drops or moves a word."""

import re
from collections.abc import Sequence
from dataclasses import replace

from domain.span import Span
from domain.transcript import Timing, Word

_IDEOGRAPHS = "\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_IDEOGRAPHS}][^\w\s]*|[^\s{_IDEOGRAPHS}]+")
"""A Chinese or Japanese character with the punctuation after it, or anything else up to a space or one of those."""


def spread(words: Sequence[Word], within: Span) -> tuple[Word, ...]:
    """Lay words out over `within`, each as long as its text, and mark them as interpolated.

    >>> words = [Word(span=Span(0, 0), text=text) for text in ("so", "what")]
    >>> [word.span for word in spread(words, Span(0, 60))]
    [Span(start=0, end=20), Span(start=20, end=60)]
    """
    total = sum(len(word.text) or 1 for word in words)
    placed, before = [], 0
    for word in words:
        after = before + (len(word.text) or 1)
        span = Span(within.start + within.duration * before // total, within.start + within.duration * after // total)
        placed.append(replace(word, span=span, timing=Timing.INTERPOLATED))
        before = after
    return tuple(placed)


def well_timed(words: Sequence[Word], within: Span) -> tuple[Word, ...]:
    """Return the words with starts that never fall, all inside `within`.

    Words that last no time, lie outside or start before the word ahead of them are spread between their neighbours.
    An adapter passes words that have no times at all with an empty span.
    """
    timed: list[Word] = []
    doubtful: list[Word] = []
    free_from = latest = within.start
    for word in words:
        span = word.span.clamp(within)
        if not span.duration or span.start < latest:
            doubtful.append(word)
            continue
        timed += spread(doubtful, Span(min(free_from, span.start), span.start))
        doubtful = []
        timed.append(word if span == word.span else replace(word, span=span))
        free_from, latest = max(free_from, span.end), span.start
    return (*timed, *spread(doubtful, Span(free_from, within.end)))


def spelled(text: str, within: Span) -> tuple[Word, ...]:
    """Make interpolated words of a text that came without any.

    >>> [word.text for word in spelled("so, 你好。", Span(0, 900))]
    ['so,', '你', '好。']
    """
    parts = [(part, number > 0) for token in text.split() for number, part in enumerate(_TOKEN.findall(token))]
    return spread([Word(span=within, text=part, glued=glued) for part, glued in parts], within)
