"""Where sentences end, told by their punctuation alone; it knows no language and looks at no times."""

import re

_MARKS = frozenset(".?!…。！？．｡؟۔।॥")  # noqa: RUF001 - full-width marks are what this is about
_QUESTIONS = frozenset("?？؟")  # noqa: RUF001 - as above
_OPENING = "\"'“‘«([{（「『【"  # noqa: RUF001 - as above
_CLOSING = "\"'”’»)]}）」』】"  # noqa: RUF001 - as above
_ABBREVIATION = re.compile(
    r"(?-i:[A-HJ-Z])\.|(?:\w\.){2,}|(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|cf|approx|dept|fig|no|nr|vol|bzw|ca|usw|mme|mlle)\.",
    re.IGNORECASE,
)
"""Initials (`J.`, `e.g.`) and the commonest short forms: a point after them seldom ends a sentence."""


def ends_sentence(word: str) -> bool:
    """Whether a sentence ends with this word.

    >>> [ends_sentence(word) for word in ("done.", "3.5", "Dr.", "e.g.", "你好。", 'why?"')]
    [True, False, False, False, True, True]
    """
    if word[-1:].isalnum():
        return False
    bare = word.rstrip(_CLOSING)
    return bare != "" and bare[-1] in _MARKS and not _ABBREVIATION.fullmatch(bare.lstrip(_OPENING))


def asks(text: str) -> bool:
    """Whether a question ends here.

    >>> [asks(text) for text in ("why?", '"Why?"', "why", "")]
    [True, True, False, False]
    """
    return text.rstrip(_CLOSING)[-1:] in _QUESTIONS
