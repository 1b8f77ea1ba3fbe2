from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access import PREFIX, ApiKey, digest, new_secret, well_formed
from tests.strategies import api_keys

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_new_secrets_are_well_formed_and_differ() -> None:
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    assert all(well_formed(secret) and secret.startswith(PREFIX) for secret in made)


@given(st.data())
def test_a_typing_error_is_noticed(data: st.DataObject) -> None:
    secret = new_secret()
    at = data.draw(st.integers(len(PREFIX), len(secret) - 1))
    wrong = data.draw(st.sampled_from([char for char in ALPHABET if char != secret[at]]))
    assert not well_formed(secret[:at] + wrong + secret[at + 1 :])


@given(st.text(max_size=60))
def test_other_text_is_no_secret(text: str) -> None:
    assert not well_formed(text)
    assert not well_formed(PREFIX + text)


@pytest.mark.parametrize("secret", ["", PREFIX, f"{PREFIX}000000", PREFIX + "é" * 42])
def test_what_has_not_the_shape_of_a_secret_is_none(secret: str) -> None:
    assert not well_formed(secret)


@given(api_keys)
def test_a_key_opens_with_its_secret_alone_until_it_is_revoked_or_expires(key: ApiKey) -> None:
    secret = new_secret()
    now = key.created_at
    valid = replace(key, digest=digest(secret), revoked_at=None, expires_at=None)
    assert valid.opens(secret)
    assert not valid.opens(new_secret())
    assert valid.live(now)
    assert replace(valid, expires_at=now + timedelta(microseconds=1)).live(now)
    assert not replace(valid, expires_at=now).live(now)
    assert not replace(valid, revoked_at=now + timedelta(days=1)).live(now)
    assert secret not in repr(valid)
