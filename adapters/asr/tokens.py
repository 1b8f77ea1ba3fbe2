"""Making words of a recogniser's tokens; it must not know who made them."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from domain.span import Span, to_ms
from domain.timing import spelled, well_timed
from domain.transcript import Word

_MARK = "\u2581"
"""SentencePiece's sign for the space before a piece."""
_IDEOGRAPH = re.compile("[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_BYTE = re.compile("<0x([0-9A-F]{2})>")
_SPECIAL = re.compile("<(?!0x)[^<>]+>")
"""`<unk>` and its like: nothing that anybody said."""
_TAIL = 0.24
"""Seconds that a word's last token is given where nobody says how long it lasts: two or three letters' worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a recogniser wrote, times in s from the start of what it heard.

    `starts` is empty where it gives no times; `durations` and `scores`, natural logarithms of probabilities, where it
    does not give those.
    """

    text: str
    tokens: Sequence[str] = ()
    starts: Sequence[float] = ()
    durations: Sequence[float] = ()
    scores: Sequence[float] = ()


@dataclass(slots=True)
class _Word:
    glued: bool
    start: float
    end: float
    parts: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The word, where some of its tokens may be single bytes of it."""
        raw = b"".join(
            bytes([int(byte[1], 16)]) if (byte := _BYTE.fullmatch(part)) else part.encode() for part in self.parts
        )
        return raw.decode(errors="ignore").strip()


def words_of(heard: Tokens, within: Span) -> tuple[Word, ...]:
    """Join tokens to words: one begins at a space, and each ideograph is one; all are laid inside `within`.

    Where tokens have no times the text's words are spread, and say so.
    """
    if len(heard.starts) != len(heard.tokens) or not heard.tokens:
        return spelled(heard.text, within)
    return well_timed(tuple(_timed(list(_joined(heard)), heard, within)), within)


def _joined(heard: Tokens) -> Iterator[_Word]:
    word: _Word | None = None
    spaced = True
    for number, token in enumerate(heard.tokens):
        part = token.replace(_MARK, " ")
        spaced = spaced or part.startswith(" ")
        if not part.strip() or _SPECIAL.fullmatch(part.strip()):
            spaced = True
            continue
        ideograph = bool(_IDEOGRAPH.match(part.strip()))
        if word is None or spaced or ideograph or (_IDEOGRAPH.search(word.parts[-1]) and part[-1].isalnum()):
            if word is not None:
                yield word
            start = heard.starts[number]
            word = _Word(glued=word is not None and not spaced, start=start, end=start)
        word.parts.append(part.strip())
        word.end = heard.starts[number]
        if len(heard.durations) == len(heard.tokens):
            word.end += heard.durations[number]
        if len(heard.scores) == len(heard.tokens):
            word.scores.append(heard.scores[number])
        spaced = part.endswith(" ")
    if word is not None:
        yield word


def _timed(words: Sequence[_Word], heard: Tokens, within: Span) -> Iterator[Word]:
    """End each word where it says, or else where the next begins, but not long after its last token."""
    told = len(heard.durations) == len(heard.tokens)
    for number, word in enumerate(words):
        follows = words[number + 1].start if number + 1 < len(words) else math.inf
        end = word.end if told and word.end > word.start else min(word.end + _TAIL, follows)
        if not word.text:
            continue
        start = min(to_ms(word.start), within.duration)
        yield Word(
            span=Span(start, max(start, to_ms(end))).shift(within.start),
            text=word.text,
            confidence=_probability(word.scores),
            glued=word.glued,
        )


def _probability(scores: Sequence[float]) -> float | None:
    """The geometric mean of the tokens' probabilities."""
    return round(min(1.0, math.exp(sum(scores) / len(scores))), 4) if scores else None
