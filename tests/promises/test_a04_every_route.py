"""A-04: no route answers whoever shows no good credential, and what is wrong with a credential shows in nothing."""

import os
import random
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from adapters.tokens import JwtTokens
from domain.access import ALL_SCOPES, Scope, SessionId, UserId, new_secret
from domain.token import Grantor, Token
from domain.user import Session, User
from entrypoints.http.guards import scope_of
from tests.adapters.test_persistence import sqlite_engine
from tests.contracts.credentials import a_token
from tests.entrypoints.http_routes import ANY_ID, WEBSOCKET, Route, every_route, refusal
from tests.entrypoints.http_service import Api
from tests.promises.sql_api import SqlApi

CALLS = int(os.environ.get("COLLOQUY_TEST_CALLS", "240"))  # noqa: TID251 - a longer run for a release
OPEN = {
    "/", "/docs", "/docs/openapi.json", "/docs/style.css", "/docs/{path:str}", "/problems/{name:str}",
    "/health", "/health/live", "/health/ready", "/api/v1/health",
    "/api/v1/auth/register", "/api/v1/auth/token",
    "/compat/platform/api/v1/auth/register", "/compat/platform/api/v1/auth/token",
    "/compat/platform/api/v1/health", "/compat/jobs/health", "/compat/diarizer/health",
}  # fmt: skip
"""What needs no credential: pages about the API, health, and the two ways to get a token. A new one is added here."""
SAME = {"x-request-id": "the-same-id"}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def bad_credentials(api: Api) -> dict[str, dict[str, str]]:
    """Headers that let nobody in, each for another reason."""
    now = api.clock.now()
    revoked, of_revoked = await api.keys.issue("revoked")
    await api.keys.revoke(revoked.id)
    _, of_expired = await api.keys.issue("expired", expires_in=timedelta(seconds=-1))
    _, good = await api.keys.issue("good")
    ended = await a_session(api)
    async with api.new_uow() as uow:
        await uow.sessions.revoke(SessionId(ended.grantor_id), at=now)
        await uow.commit()
    signer, stranger = JwtTokens(lambda: api.signing_key), JwtTokens(lambda: bytes(32))
    old = replace(ended, issued_at=now - timedelta(hours=2), expires_at=now - timedelta(hours=1))
    return {
        "missing": {},
        "empty": {"Authorization": ""},
        "another scheme": {"Authorization": f"Basic {good}"},
        "no scheme": {"Authorization": good},
        "malformed": bearer("x"),
        "mistyped": bearer(good[:-1] + ("0" if good[-1] != "0" else "1")),
        "unknown": bearer(new_secret()),
        "revoked": bearer(of_revoked),
        "expired": bearer(of_expired),
        "malformed token": bearer("eyJhbGciOiJIUzI1NiJ9.e30.x"),
        "token of another installation": bearer(stranger.sign(ended)),
        "expired token": bearer(signer.sign(old)),
        "token of a session that has ended": bearer(signer.sign(ended)),
    }


async def a_session(api: Api) -> Token:
    now = api.clock.now().replace(microsecond=0)
    token = replace(a_token(grantor=Grantor.SESSION), issued_at=now, expires_at=now + timedelta(minutes=9))
    user = User(id=UserId(token.id), owner=(await api.keys.issue("x"))[0].owner, email=f"{token.id}@example.org",
                full_name="", password="", created_at=now)  # fmt: skip
    session = Session(id=SessionId(token.grantor_id), user_id=user.id, owner=user.owner, created_at=now,
                      expires_at=token.expires_at)  # fmt: skip
    async with api.new_uow() as uow:
        await uow.users.add(user)
        await uow.sessions.add(session)
        await uow.commit()
    return token


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as made:
        yield made


async def ask(app: Litestar, client: httpx.AsyncClient, route: Route, headers: dict[str, str]) -> tuple[int, str, str]:
    """Send the bare request; return the status, the body, and the headers but the date."""
    if route.method == WEBSOCKET:
        return *await refusal(app, route.path(), headers | SAME), ""
    answer = await client.request(route.method, route.path(), headers=headers | SAME)
    told = sorted((name, value) for name, value in answer.headers.items() if name != "date")
    return answer.status_code, answer.text, str(told)


def guarded(app: Litestar) -> list[Route]:
    return [route for route in every_route(app) if route.template not in OPEN]


def test_a04_what_is_open_is_listed(api: Api) -> None:
    assert {route.template for route in every_route(api.app())} >= OPEN, "a route that is gone needs no line"


@pytest.mark.timeout(60)
async def test_a04_no_route_tells_what_is_wrong_with_a_credential(api: Api, client: httpx.AsyncClient) -> None:
    app, bad = api.app(), await bad_credentials(api)
    routes = guarded(app)
    assert len(routes) > 60
    for route in routes:
        first = await ask(app, client, route, bad["missing"])
        assert first[0] == 401, route
        for name, headers in bad.items():
            assert await ask(app, client, route, headers) == first, (str(route), name)


@pytest.mark.timeout(60)
async def test_a04_every_route_asks_for_its_scope(api: Api, client: httpx.AsyncClient) -> None:
    app = api.app()
    lacking = {scope: bearer((await api.keys.issue(scope, scopes=ALL_SCOPES - {scope}))[1]) for scope in Scope}
    alone = {scope: bearer((await api.keys.issue(scope, scopes={scope}))[1]) for scope in Scope}
    needed = dict.fromkeys(Scope, 0)
    for route in guarded(app):
        if "token" in route.parameters:  # its credential stands in the path; see `test_seed_curls.py`
            continue
        scope = scope_of(route.handler, "GET" if route.method == WEBSOCKET else route.method)
        needed[scope] += 1
        status, body, _ = await ask(app, client, route, lacking[scope])
        assert status == 403, route
        assert scope in body or route.method == "HEAD", route
        status, body, _ = await ask(app, client, route, alone[scope])
        assert status != 401, route
        assert "needs a credential with the scope" not in body, route
    assert min(needed.values()) > 4, "each scope is asked for somewhere"


@pytest.mark.timeout(600)
async def test_a04_nor_does_the_time_that_a_refusal_takes(tmp_path: Path) -> None:
    async with sqlite_engine(tmp_path) as engine:
        api = SqlApi(tmp_path, engine)
        bad = await bad_credentials(api)
        took: dict[str, list[float]] = {name: [] for name in bad}
        order = random.Random(4)
        async with api.client() as client:
            for _ in range(max(CALLS // len(bad), 3)):
                for name in order.sample(sorted(bad), len(bad)):
                    began = time.perf_counter()
                    answer = await client.get(f"/api/v1/status/{ANY_ID}", headers=bad[name])
                    took[name].append(time.perf_counter() - began)
                    assert answer.status_code == 401
    medians = {name: statistics.median(times) * 1000 for name, times in took.items()}
    print({name: round(median, 2) for name, median in medians.items()})  # noqa: T201 - the figure of a long run
    assert max(medians.values()) < min(medians.values()) * 1.6 + 1, medians
