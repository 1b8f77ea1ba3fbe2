"""What a transcript is held against, and how well it did; measuring is an adapter's job."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from domain.span import Span
from domain.speaker import SpeakerTurn

_IDEOGRAPH = re.compile("([\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff])")
NORMALISATION = (
    "NFKC, case-folded; all but letters, digits, marks and apostrophes inside words is a space; an ideograph or kana is"
    " a word; numbers are not spelled out"
)
"""What `plain_words` does, for reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What somebody says in a reference; `span` and `speaker` are None where it does not tell."""

    text: str
    span: Span | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The truth about one recording, or the part of it that is known."""

    lines: tuple[Line, ...] = ()
    turns: tuple[SpeakerTurn, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors among so many; rates of several recordings add up to their common one.

    >>> (Rate(1, 4) + Rate(3, 6)).value
    0.4
    """

    errors: float
    total: float

    def __add__(self, other: "Rate") -> "Rate":
        """Pool two recordings."""
        return Rate(self.errors + other.errors, self.total + other.total)

    @property
    def value(self) -> float:
        """Errors for each of the total; it may exceed 1, and is infinite where nothing was to be found but was."""
        return self.errors / self.total if self.total else float("inf") if self.errors else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Word error rate; the same with each word's speaker (cpWER); diarization and Jaccard error rate.

    None where the reference, or the transcript, does not say enough.
    """

    wer: Rate | None = None
    cpwer: Rate | None = None
    der: Rate | None = None
    jer: Rate | None = None


def pooled(rates: Iterable[Rate | None]) -> Rate | None:
    """Add up the rates that there are.

    >>> pooled([None, Rate(1, 2), Rate(1, 2)])
    Rate(errors=2, total=4)
    """
    total: Rate | None = None
    for rate in rates:
        if rate is not None:
            total = rate if total is None else total + rate
    return total


def plain_words(text: str) -> tuple[str, ...]:
    """Give the words that are compared, see `NORMALISATION`.

    >>> plain_words("Don't \u2014 “Stop”, \u2019til 9:30. 你好")
    ("don't", 'stop', 'til', '9', '30', '你', '好')
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    kept = "".join(letter if letter == "'" or unicodedata.category(letter)[0] in "LMN" else " " for letter in folded)
    return tuple(word.strip("'") for word in _IDEOGRAPH.sub(r" \1 ", kept).split() if word.strip("'"))
