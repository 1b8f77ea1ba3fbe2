"""What every hasher of passwords, and every signer of tokens, promises."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.system import Uuid7Factory
from application.ports.credentials import PasswordHasher, TokenSigner
from domain.access import ALL_SCOPES, Scope
from domain.task import TaskId
from domain.token import Grantor, Token, TokenKind
from tests.builders import NOW
from tests.contracts.suite import Suite

_new_id = Uuid7Factory().new
_ISSUED = NOW.replace(microsecond=0)


def a_token(**changes: Any) -> Token:
    token = Token(
        id=_new_id(), kind=TokenKind.SESSION, grantor=Grantor.SESSION, grantor_id=_new_id(), issued_at=_ISSUED,
        expires_at=_ISSUED + timedelta(hours=1), scopes=ALL_SCOPES,
    )  # fmt: skip
    return replace(token, **changes)


class PasswordHasherContract(Suite):
    """Hashes of passwords."""

    async def test_only_the_password_is_right(self, passwords: PasswordHasher) -> None:
        hashed = await passwords.hash("Füße und Hände")
        assert await passwords.verify("Füße und Hände", hashed)
        for wrong in ("", "Füße und hände", "Füße und Hände ", "Füße und Hände\0", hashed):
            assert not await passwords.verify(wrong, hashed)

    async def test_a_hash_shows_nothing_and_differs_each_time(self, passwords: PasswordHasher) -> None:
        first, second = [await passwords.hash("a long sentence") for _ in range(2)]
        assert first != second
        assert "sentence" not in first

    async def test_nobodys_password_is_never_right(self, passwords: PasswordHasher) -> None:
        for password in ("", "password", "a long sentence"):
            assert not await passwords.verify(password, None)
        assert not await passwords.verify("a long sentence", "no hash at all")


class TokenSignerContract(Suite):
    """Signed tokens. `other` is a signer with another secret."""

    @pytest.mark.parametrize(
        "token",
        [
            a_token(),
            a_token(kind=TokenKind.LENT, grantor=Grantor.KEY, scopes=frozenset({Scope.READ}), task=TaskId(_new_id())),
            a_token(kind=TokenKind.LENT, grantor=Grantor.LOCAL, scopes=frozenset()),
        ],
        ids=lambda token: token.grantor,
    )
    def test_a_token_comes_back_as_it_was_signed(self, signer: TokenSigner, token: Token) -> None:
        text = signer.sign(token)
        assert signer.read(text) == token
        assert text.isascii()
        assert not set(text) & set(" +/=&?#")

    def test_what_was_changed_or_signed_elsewhere_is_nothing(self, signer: TokenSigner, other: TokenSigner) -> None:
        text = signer.sign(a_token())
        assert other.read(text) is None
        head, body, signature = text.split(".")
        stranger = other.sign(a_token()).split(".")
        for made in (
            f"{head}.{body}.", f"{head}.{body}", f"{head}.{stranger[1]}.{signature}", f"{head}.{body}.{stranger[2]}",
            f"{head}.{body}.{signature}.{signature}", "..", "", "a.b.c", "ä.ö.ü", "\0.\0.\0", text * 9,
        ):  # fmt: skip
            assert signer.read(made) is None
