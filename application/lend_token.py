"""Lending a part of what a caller may do, for a while, to somebody who should not see the caller's own credential."""

from datetime import timedelta

from application.audit import note
from application.ports.credentials import TokenSigner
from application.ports.system import Clock, IdFactory
from domain.access import Caller, Scope
from domain.audit import Action, Thing
from domain.errors import InvalidOptions, ScopeLacking
from domain.task import TaskId
from domain.token import LONGEST, Grantor, Token, TokenKind

_NOBODY_ELSE = frozenset({Scope.ADMIN})
"""What is not lent: a token ends up in places where keys must not be made."""


class LendToken:
    """Signs tokens for browsers; nothing is stored, and revoking the caller's own credential ends them."""

    def __init__(self, *, clock: Clock, ids: IdFactory, tokens: TokenSigner) -> None:
        self._clock = clock
        self._ids = ids
        self._tokens = tokens

    def __call__(
        self, caller: Caller, *, scopes: frozenset[Scope], valid: timedelta, task: TaskId | None = None
    ) -> tuple[Token, str]:
        """Return a token with its text; it is good for the caller's `task` alone, if one is named.

        Raises:
            InvalidOptions: it would last too long.
            ScopeLacking: the caller lacks one of the scopes, it is none to lend, or the caller's token is lent itself.
            NotConfigured: the installation cannot sign tokens.
        """
        if not timedelta() < valid <= LONGEST:
            raise InvalidOptions(f"a token lasts at most {int(LONGEST.total_seconds())} seconds")
        if caller.lent:
            raise ScopeLacking("a token that was lent cannot be lent on")
        if lacking := scopes - (caller.scopes - _NOBODY_ELSE):
            raise ScopeLacking(f"this credential cannot lend the scope {', '.join(sorted(lacking))}")
        now = self._clock.now().replace(microsecond=0)
        token_id = self._ids.new()
        grantor, grantor_id = (
            (Grantor.KEY, caller.key) if caller.key
            else (Grantor.SESSION, caller.session) if caller.session
            else (Grantor.LOCAL, token_id)
        )  # fmt: skip
        token = Token(
            id=token_id, kind=TokenKind.LENT, grantor=grantor, grantor_id=grantor_id, issued_at=now,
            expires_at=now + valid, scopes=scopes, task=task,
        )  # fmt: skip
        text = self._tokens.sign(token)
        note(Action.CREATED, Thing.TOKEN, token_id)
        return token, text
