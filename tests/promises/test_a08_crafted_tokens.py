"""A-08: a token opens only what its issuer meant, and only in the one form in which this service writes them."""

import base64
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.tokens import JwtTokens
from domain.access import ALL_SCOPES, Scope
from domain.token import Grantor, TokenKind
from tests.contracts.credentials import a_token
from tests.entrypoints.http_service import Api

PASSWORD = secrets.token_urlsafe(12)
WHERE = "/api/v1/tasks"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as made:
        yield made


async def log_in(client: httpx.AsyncClient, email: str = "ann@example.org") -> str:
    await client.post("/api/v1/auth/register", json={"email": email, "password": PASSWORD})
    answer = await client.post("/api/v1/auth/token", data={"username": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def unsigned(head: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, claims))
    return ".".join([*parts, ""])


class Forger:
    """Has a good token, and where it says so even the key that it was signed with."""

    def __init__(self, token: str, key: bytes) -> None:
        self.token = token
        self.key = key
        self.head = jwt.get_unverified_header(token)
        self.claims = jwt.decode(token, options={"verify_signature": False})

    def signed(self, head: dict[str, Any] | None = None, key: Any = None, alg: str = "HS256", **claims: Any) -> str:
        changed = {name: value for name, value in (self.claims | claims).items() if value is not None}
        extra = self.head | (head or {})
        return jwt.encode(changed, self.key if key is None else key, alg, headers={**extra, "alg": alg})

    def crafted(self) -> dict[str, str]:
        iat, hour = int(self.claims["iat"]), 3_600
        pair = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        head, body, signature = self.token.split(".")
        # PyJWT will not sign with a public key as a secret, which is the very confusion: so its bytes are the key.
        confused = JwtTokens(lambda: base64.b64encode(public)).sign(a_token())
        return {
            "alg none": unsigned({"alg": "none", "typ": self.head["typ"]}, self.claims),
            "alg None": unsigned({"alg": "nOnE", "typ": self.head["typ"]}, self.claims),
            "no signature": f"{head}.{body}.",
            "another secret": self.signed(key=secrets.token_bytes(32)),
            "RS256 for HS256": self.signed(key=pair, alg="RS256"),
            "HS256 with a public key": confused,
            "HS512 with the right key": self.signed(key=self.key.ljust(64, b"\0"), alg="HS512"),
            "signature of another": f"{head}.{body}.{jwt.encode({}, self.key).split('.')[2]}",
            "changed claims": f"{head}.{unsigned({}, self.claims | {'scope': 'admin'}).split('.')[1]}.{signature}",
            "wrong aud": self.signed(aud="elsewhere"),
            "no aud": self.signed(aud=None),
            "wrong iss": self.signed(iss="elsewhere"),
            "no iss": self.signed(iss=None),
            "wrong typ": self.signed({"typ": "JWT"}),
            "typ of nobody": self.signed({"typ": "refresh+jwt"}),
            "no exp": self.signed(exp=None),
            "expired": self.signed(iat=iat - 2 * hour, exp=iat - hour),
            "exp of another kind": self.signed(exp=str(iat + hour)),
            "far iat": self.signed(iat=iat + 10 * hour, exp=iat + 11 * hour),
            "lasts ten years": self.signed(exp=iat + 87_600 * hour),
            "unknown crit": self.signed({"crit": ["exp"]}),
            "jwk header": self.signed({"jwk": {"kty": "oct", "k": "AAAA"}}),
            "jku header": self.signed({"jku": "http://127.0.0.1:9/keys"}),
            "x5u header": self.signed({"x5u": "http://127.0.0.1:9/cert"}),
            "kid is a path": self.signed({"kid": "../../../../dev/null"}),
            "empty key of kid": self.signed({"kid": "/dev/null"}, key=b"\0" * 32),
            "nobody's session": self.signed(sub=f"session:{self.claims['jti']}"),
            "sub without a kind": self.signed(sub=self.claims["sub"].partition(":")[2]),
            "session kind for the local owner": self.signed(sub=f"local:{self.claims['jti']}"),
            "unknown claim": self.signed(role="admin"),
            "unknown scope": self.signed(scope="read write root"),
            "another's jti": self.signed(jti="1"),
        }


async def test_a08_no_crafted_token_is_taken(api: Api, client: httpx.AsyncClient) -> None:
    good = await log_in(client)
    made = Forger(good, api.signing_key).crafted()
    assert len(made) >= 25
    plain = await client.get(WHERE, headers={"x-request-id": "the-same-id"})
    for name, token in made.items():
        answer = await client.get(WHERE, headers=bearer(token) | {"x-request-id": "the-same-id"})
        assert (answer.status_code, answer.text) == (401, plain.text), name
    assert (await client.get(WHERE, headers=bearer(good))).status_code == 200
    forger = Forger(good, api.signing_key)
    assert (await client.get(WHERE, headers=bearer(forger.signed()))).status_code == 200, "the forger can sign at all"


async def test_a08_a_revoked_session_is_over_with_all_that_it_lent(client: httpx.AsyncClient) -> None:
    session, other = await log_in(client), await log_in(client)
    lent = (await client.post("/api/v1/tokens", json={"scopes": ["read"]}, headers=bearer(session))).json()["token"]
    assert (await client.get(WHERE, headers=bearer(lent))).status_code == 200
    assert (await client.post("/api/v1/auth/logout", headers=bearer(lent))).status_code == 403
    assert (await client.post("/api/v1/auth/logout", headers=bearer(session))).status_code == 204
    for token in (session, lent):
        assert (await client.get(WHERE, headers=bearer(token))).status_code == 401
    assert (await client.get(WHERE, headers=bearer(other))).status_code == 200


async def test_a08_a_new_password_ends_every_session(client: httpx.AsyncClient) -> None:
    sessions, new = [await log_in(client) for _ in range(2)], secrets.token_urlsafe(12)
    change = {"current_password": PASSWORD, "new_password": new}
    wrong = await client.post("/api/v1/auth/password", json=change | {"current_password": new},
                              headers=bearer(sessions[0]))  # fmt: skip
    assert wrong.status_code == 401
    changed = await client.post("/api/v1/auth/password", json=change, headers=bearer(sessions[0]))
    assert changed.status_code == 204
    for token in sessions:
        assert (await client.get(WHERE, headers=bearer(token))).status_code == 401
    for password, status in ((PASSWORD, 401), (new, 200)):
        answer = await client.post("/api/v1/auth/token", data={"username": "ann@example.org", "password": password})
        assert answer.status_code == status


async def test_a08_a_lent_token_does_what_it_was_lent_for_and_no_more(api: Api, client: httpx.AsyncClient) -> None:
    owner = await api.issue_key()
    uploaded = [
        (await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, headers=owner)).json()["task_id"]
        for _ in range(2)
    ]
    lend = {"scopes": ["read"], "task_id": uploaded[0], "expires_in": 60}
    answer = await client.post("/api/v1/tokens", json=lend, headers=owner)
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert (await client.get(f"/api/v1/status/{uploaded[0]}", headers=bearer(token))).status_code == 200
    assert (await client.get(f"/api/v1/status/{uploaded[0]}", params={"access_token": token})).status_code == 200
    for method, path in (
        ("GET", f"/api/v1/status/{uploaded[1]}"),  # another task
        ("GET", "/api/v1/tasks"),  # all of them
        ("DELETE", f"/api/v1/tasks/{uploaded[0]}"),  # needs `write`
        ("POST", "/api/v1/tokens"),  # would lend on
        ("GET", "/api/v1/keys"),
    ):
        answer = await client.request(method, path, headers=bearer(token), json=lend if method == "POST" else None)
        assert answer.status_code == 403, (method, path)
    in_url = {"params": {"access_token": token}, "json": {}}
    assert (await client.request("POST", "/api/v1/tokens", **in_url)).status_code == 401  # type: ignore[arg-type]
    key = owner["Authorization"].partition(" ")[2]
    for secret in (key, await log_in(client)):
        answer = await client.get("/api/v1/tasks", params={"access_token": secret})
        assert answer.status_code == 401, "what is not lent never works in a URL"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"scopes": ["admin"]}, 403),
        ({"scopes": ["read", "write"]}, 403),
        ({"scopes": ["read"], "expires_in": 3_601}, 422),
        ({"scopes": []}, 422),
        ({"scopes": ["read"], "owner": "00000000-0000-0000-0000-000000000000"}, 422),
        ({"scopes": ["read"], "expires_in": 3_600}, 201),
    ],
)
async def test_a08_nobody_lends_more_than_is_theirs(
    api: Api, client: httpx.AsyncClient, asked: dict[str, Any], status: int
) -> None:
    _, secret = await api.keys.issue("reader", scopes=[Scope.READ, Scope.ADMIN])
    assert (await client.post("/api/v1/tokens", json=asked, headers=bearer(secret))).status_code == status


async def test_a08_a_lent_token_shrinks_and_ends_with_its_key(api: Api, client: httpx.AsyncClient) -> None:
    key, secret = await api.keys.issue("page")
    lent = JwtTokens(lambda: api.signing_key).sign(
        replace(
            a_token(kind=TokenKind.LENT, grantor=Grantor.KEY, grantor_id=key.id, scopes=ALL_SCOPES),
            issued_at=api.clock.now(), expires_at=api.clock.now() + timedelta(minutes=1),
        )
    )  # fmt: skip
    assert (await client.get("/api/v1/keys", headers=bearer(lent))).status_code == 200
    patched = await client.patch(f"/api/v1/keys/{key.id}", json={"scopes": ["read"]}, headers=bearer(secret))
    assert patched.status_code == 200
    assert (await client.get("/api/v1/keys", headers=bearer(lent))).status_code == 403
    assert (await client.get(WHERE, headers=bearer(lent))).status_code == 200
    await api.keys.revoke(key.id)
    assert (await client.get(WHERE, headers=bearer(lent))).status_code == 401
