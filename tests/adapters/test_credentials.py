"""Argon2id and JSON Web Tokens against their contracts, and what each must be beyond them."""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.passwords import Argon2Passwords
from adapters.tokens import JwtTokens
from application.ports.credentials import PasswordHasher, TokenSigner
from domain.errors import NotConfigured
from domain.token import Token
from tests.contracts.credentials import PasswordHasherContract, TokenSignerContract, a_token
from tests.contracts.proof import failures


def a_signer() -> JwtTokens:
    key = secrets.token_bytes(32)
    return JwtTokens(lambda: key)


class TestArgon2Passwords(PasswordHasherContract, adapter=Argon2Passwords):
    @pytest.fixture
    def passwords(self) -> PasswordHasher:
        return Argon2Passwords()


class TestJwtTokens(TokenSignerContract, adapter=JwtTokens):
    @pytest.fixture
    def signer(self) -> TokenSigner:
        return a_signer()

    @pytest.fixture
    def other(self) -> TokenSigner:
        return a_signer()


async def test_passwords_are_hashed_by_what_owasp_advises() -> None:
    hashed = await Argon2Passwords().hash("a long sentence")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_at_most_four_hashes_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, running, most, lock = Argon2Passwords(), 0, 0, threading.Lock()
    hashed = await passwords.hash("a long sentence")
    verify = passwords._verify

    def watched(password: str, given: str | None) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return verify(password, given)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(passwords, "_verify", watched)
    right = await asyncio.gather(*(passwords.verify("a long sentence", hashed) for _ in range(24)))
    assert all(right)
    assert 2 <= most <= 4


def test_where_the_secret_is_missing_nothing_is_signed_and_nothing_read() -> None:
    def missing() -> bytes:
        raise NotConfigured("INSTALLATION_SECRET must be set")

    signer = JwtTokens(missing)
    with pytest.raises(NotConfigured, match="INSTALLATION_SECRET"):
        signer.sign(a_token())
    assert signer.read(a_signer().sign(a_token())) is None


class AcceptsAnything(Argon2Passwords):
    async def verify(self, password: str, hashed: str | None) -> bool:  # noqa: ARG002
        return hashed is not None


class KnowsNobody(Argon2Passwords):
    async def verify(self, password: str, hashed: str | None) -> bool:
        return True if hashed is None else await super().verify(password, hashed)


@pytest.mark.parametrize(
    ("kind", "caught_by"),
    [
        (AcceptsAnything, "test_only_the_password_is_right"),
        (KnowsNobody, "test_nobodys_password_is_never_right"),
    ],
)
async def test_the_contract_of_passwords_catches(kind: type[Argon2Passwords], caught_by: str) -> None:
    assert await failures(PasswordHasherContract, caught_by, passwords=kind)


def believing(signer: JwtTokens) -> Iterator[JwtTokens]:
    """A signer that reads what anybody signed."""

    class Believes(JwtTokens):
        def read(self, text: str) -> Token | None:
            return signer.read(text) or (a_token() if text.count(".") == 2 else None)

    yield Believes(signer._key)


async def test_the_contract_of_tokens_catches_what_believes_anybody() -> None:
    made: dict[str, Any] = {"signer": lambda: next(believing(a_signer())), "other": a_signer}
    caught = "test_what_was_changed_or_signed_elsewhere_is_nothing"
    assert await failures(TokenSignerContract, caught, **made)
    assert not await failures(TokenSignerContract, caught, signer=a_signer, other=a_signer)
