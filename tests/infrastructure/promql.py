"""What an expression in Prometheus' language speaks of: names of series, and labels that it selects by."""

import re
from collections.abc import Iterator

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_WORD = re.compile(r"(?<![\w.])([a-zA-Z_:][\w:]*)\b(?!\s*\()")
_OPERATORS = frozenset({"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "inf", "nan"})


def names_of(expression: str) -> set[str]:
    """Return the names of the series that it asks for.

    >>> sorted(names_of('sum by (le) (rate(a_bucket{x="b"}[5m])) > on () c:d offset 1h'))
    ['a_bucket', 'c:d']
    """
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", _STRING.sub('""', expression))
    return {word for word in _WORD.findall(_GROUPING.sub(" ", plain)) if word.lower() not in _OPERATORS}


def labels_of(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each series that is selected by labels, and those.

    >>> list(labels_of('a{x="b|c"} / b'))
    [('a', {'x'})]
    """
    for name, inside in _SELECTOR.findall(_STRING.sub('""', expression)):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
