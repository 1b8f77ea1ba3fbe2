"""Secrets are blanked out of whatever is said: by the name that they stand under, by their shape, by their value.

No call site has to think of it, and none may rely on it: what is known to be secret is not said at all.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

MASK = "********"
_SHORTEST = 6
"""A shorter value would be found inside innocent words."""
_NAMES = (
    "password|passwd|passphrase|secret(?:[_-]?key)?|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|credential"
    "|signature"
)
_NAME = re.compile(rf"(?:{_NAMES}|cookie)s?$", re.IGNORECASE)
_SHAPES = re.compile(
    rf"""
      \b(?: cq_[0-9A-Za-z]{{8,}}                                # our keys
          | whsec_[\w+/=-]{{8,}}                                # a webhook's secret
          | hf_[0-9A-Za-z]{{8,}} | sk-[\w-]{{12,}}              # a hub's, and OpenAI's
          | (?:AKIA|ASIA)[0-9A-Z]{{12,}}                        # a store's
          | eyJ[\w-]{{4,4096}}\.[\w-]{{1,4096}}\.[\w-]*         # a JSON Web Token
        )
    | (?P<scheme>\b(?:bearer|basic)[ ]{{1,3}})[^\s"',;]{{6,}}   # RFC 9110's credentials
    | (?P<address>\b[a-z][a-z0-9+.-]{{0,30}}://)               # who and password, and a query: a presigned one, a token
      (?P<user>[^\s/"'<>?\#]*@)? (?P<path>[^\s?\#"'<>]*) (?P<query>[?\#][^\s"'<>]+)?
    | (?P<cookie>cookie["']?[ ]{{0,3}}[:=][ ]{{0,3}})[^\r\n]+
    | (?P<name>(?:{_NAMES})s?["']?[ ]{{0,3}}(?:[:=][ ]{{0,3}}|,[ ]{{0,3}}(?=b?["'])))
      (?!{re.escape(MASK)})
      (?:b?"[^"]*"|b?'[^']*'|(?:(?:bearer|basic|token|digest)[ ]{{1,3}})?[^\s"'&;,)\]}}<>]+)
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Each part is bounded: a text made to be slow must not hold up whoever logs it."""


class Mask:
    """Blanks out secrets; `values` are those that this process was configured with."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        known = {
            form
            for value in values
            for form in (value, quote(value, safe=""), unquote(value))
            if len(value) >= _SHORTEST
        }
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def text(self, text: str) -> str:
        """Return the text without what looks like a secret, or is one."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _SHAPES.sub(_blank, text)


def is_secret(name: str) -> bool:
    """Whether what stands under the name is a secret, whatever it looks like."""
    return _NAME.search(name) is not None


def _blank(found: re.Match[str]) -> str:
    if address := found["address"]:
        user, query = found["user"] and f"{MASK}@", found["query"] and f"{found['query'][0]}{MASK}"
        return f"{address}{user or ''}{found['path']}{query or ''}"
    return f"{found['scheme'] or found['cookie'] or found['name'] or ''}{MASK}"
