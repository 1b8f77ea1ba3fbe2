"""Tokens as JSON Web Tokens (RFC 7519), held to the one form in which this service writes them (RFC 8725)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
from msgspec import Meta, Struct, ValidationError, convert

from application.ports.credentials import TokenSigner
from domain.access import Scope
from domain.errors import NotConfigured
from domain.task import TaskId
from domain.token import Grantor, Token, TokenKind

ISSUER = AUDIENCE = "colloquy"
_ALGORITHM = "HS256"
_LONGEST_TEXT = 2_048
_Instant = Annotated[int, Meta(ge=0, le=2**35)]


class _Claims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    iss: str
    aud: str
    sub: str
    jti: UUID
    iat: _Instant
    exp: _Instant
    scope: str
    task: UUID | None = None


class JwtTokens(TokenSigner):
    """Signs with HMAC-SHA256. `key` returns 32 bytes, the same in every process, or raises `NotConfigured`."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def sign(self, token: Token) -> str:
        """Write the token; the kind stands in the header's `typ`."""
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": f"{token.grantor}:{token.grantor_id}",
            "jti": str(token.id),
            "iat": int(token.issued_at.timestamp()),
            "exp": int(token.expires_at.timestamp()),
            "scope": " ".join(sorted(token.scopes)),
        }
        if token.task is not None:
            claims["task"] = str(token.task)
        return jwt.encode(claims, self._key(), _ALGORITHM, headers={"typ": _type(token.kind)})

    def read(self, text: str) -> Token | None:
        """Read a token of ours."""
        if len(text) > _LONGEST_TEXT:
            return None
        try:
            # Times are judged by the domain, with the clock of the application; everything else is judged here.
            decoded = jwt.decode_complete(
                text, self._key(), algorithms=[_ALGORITHM], audience=AUDIENCE, issuer=ISSUER,
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )  # fmt: skip
            header, claims = decoded["header"], convert(decoded["payload"], _Claims)
            grantor, _, grantor_id = claims.sub.partition(":")
            # We write these two into the header, so a key, a URL of one or `crit` makes it somebody else's.
            if header.keys() != {"alg", "typ"}:
                return None
            return Token(
                id=claims.jti,
                kind=_KINDS[header["typ"]],
                grantor=Grantor(grantor),
                grantor_id=UUID(grantor_id),
                issued_at=datetime.fromtimestamp(claims.iat, UTC),
                expires_at=datetime.fromtimestamp(claims.exp, UTC),
                scopes=frozenset(map(Scope, claims.scope.split())),
                task=None if claims.task is None else TaskId(claims.task),
            )
        except (jwt.PyJWTError, ValidationError, NotConfigured, ValueError, LookupError, TypeError):
            return None


def _type(kind: TokenKind) -> str:
    return f"{kind}+jwt"


_KINDS = {_type(kind): kind for kind in TokenKind}
