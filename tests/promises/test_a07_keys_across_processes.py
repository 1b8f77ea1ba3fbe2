"""A-07: what becomes of a key or of a session in one process counts in every other within 5 seconds."""

import base64
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from domain.errors import NotConfigured
from tests.e2e.cluster import Cluster
from tests.entrypoints.http_service import Api
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

ROUNDS = int(os.environ.get("COLLOQUY_TEST_ROUNDS", "1"))  # noqa: TID251 - a longer run for a release
WITHIN = 5.0
UNLIMITED = {f"LIMIT_{zone}": "0" for zone in ("GENERAL", "AUTH", "STRANGERS")}
TASKS, KEYS = "/api/v1/tasks", "/api/v1/keys"


@pytest.fixture
def apis(tmp_path: Path, postgres: PostgresServer, redis: RedisServer) -> Iterator[list[httpx.Client]]:
    """Clients of two processes, each with a data folder of its own, with the same administrator's key."""
    shared = UNLIMITED | {"INSTALLATION_SECRET": base64.b64encode(secrets.token_bytes(32)).decode()}
    with ExitStack() as stack:
        url = stack.enter_context(postgres.database())
        cluster = stack.enter_context(Cluster(tmp_path, database_url=url, queue_url=redis.url(), **shared))
        first, second = cluster.api("one", AUTH_REGISTRATION="open"), cluster.api("two")
        yield [
            stack.enter_context(httpx.Client(base_url=each.base, headers=bearer(second.key), trust_env=False))
            for each in (first, second)
        ]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def status(api: httpx.Client, secret: str, path: str = TASKS) -> int:
    return api.get(path, headers=bearer(secret)).status_code


def seconds_until(what: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < WITHIN
        time.sleep(0.01)
    return time.monotonic() - began


def made(api: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = api.post(KEYS, json={"name": "k", "scopes": ["read", "write", "admin"]} | asked)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.mark.slow
@pytest.mark.timeout(120 + 20 * ROUNDS)
def test_a07_what_becomes_of_a_key_counts_in_every_process(apis: list[httpx.Client]) -> None:
    took: dict[str, float] = {}

    def note(what: str, seconds: float) -> None:
        took[what] = max(took.get(what, 0), seconds)

    for number in range(ROUNDS):
        here, there = apis if number % 2 else reversed(apis)
        key = made(here)
        note("a new key", seconds_until(lambda there=there, key=key: status(there, key["secret"]) == 200))  # type: ignore[misc]

        here.patch(f"{KEYS}/{key['id']}", json={"scopes": ["read"]}).raise_for_status()
        note("fewer scopes", seconds_until(lambda there=there, key=key: status(there, key["secret"], KEYS) == 403))  # type: ignore[misc]
        assert status(there, key["secret"]) == 200

        successor = here.post(f"{KEYS}/{key['id']}/rotate", json={"grace_seconds": 2}).json()
        assert [status(there, each["secret"]) for each in (key, successor)] == [200, 200], "both live"
        assert there.post(f"{KEYS}/{key['id']}/rotate", json={}).status_code == 409
        ends = time.monotonic() + 2
        time.sleep(1.8)
        seconds_until(lambda there=there, key=key: status(there, key["secret"]) == 401)  # type: ignore[misc]
        note("the end of a grace period", time.monotonic() - ends)
        assert status(there, successor["secret"]) == 200

        there.patch(f"{KEYS}/{successor['id']}", json={"expires_in": 1}).raise_for_status()
        ends = time.monotonic() + 1
        time.sleep(0.8)
        seconds_until(lambda here=here, key=successor: status(here, key["secret"]) == 401)  # type: ignore[misc]
        note("expiry", time.monotonic() - ends)

        key = made(there)
        assert status(here, key["secret"]) == 200
        there.delete(f"{KEYS}/{key['id']}").raise_for_status()
        note("revocation", seconds_until(lambda here=here, key=key: status(here, key["secret"]) == 401))  # type: ignore[misc]
        shown = here.get(f"{KEYS}/{key['id']}").json()
        assert shown["last_used_at"] is not None
        assert shown["revoked_at"] is not None
    print({what: round(seconds, 2) for what, seconds in took.items()})  # noqa: T201 - the figures of a long run

    here, there = apis
    user = {"email": "ann@example.org", "password": secrets.token_urlsafe(12)}
    assert there.post("/api/v1/auth/register", json=user).status_code == 201, "both listen on loopback"
    form = {"username": user["email"], "password": user["password"]}
    token = here.post("/api/v1/auth/token", data=form).json()["access_token"]
    assert status(there, token) == 200, "one signs what the other reads"
    here.post("/api/v1/auth/logout", headers=bearer(token)).raise_for_status()
    seconds_until(lambda: status(there, token) == 401)


async def test_a07_without_the_shared_secret_keys_work_and_tokens_say_what_is_missing(tmp_path: Path) -> None:
    class Unset(Api):
        @property
        def signing_key(self) -> bytes:  # type: ignore[override]
            raise NotConfigured("INSTALLATION_SECRET must be set")

    api = Unset(tmp_path)
    async with api.client(await api.issue_key()) as client:
        assert (await client.get(TASKS)).status_code == 200
        answer = await client.post("/api/v1/tokens", json={"scopes": ["read"]})
    assert (answer.status_code, answer.json()["code"]) == (503, "not_configured")
    assert "INSTALLATION_SECRET" in answer.json()["detail"]


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a07_streams_end_with_the_credential_that_opened_them(apis: list[httpx.Client]) -> None:
    here, there = apis
    key, tone = made(here), {"file": ("a.wav", b"RIFF" + bytes(100))}
    task = here.post("/api/v1/transcribe", files=tone).json()["task_id"]
    mine = bearer(key["secret"])
    told = there.post("/api/v1/transcribe", files=tone, headers=mine).json()["task_id"]
    assert here.get(f"/api/v1/tasks/{told}").status_code == 200, "one owner's"
    address = str(there.base_url).replace("http", "ws", 1)
    with (
        there.stream("GET", f"/api/v1/tasks/{task}/events", headers=mine, timeout=30) as events,
        there.stream("GET", f"/api/v1/tasks/{task}/stream", headers=mine, timeout=30) as lines,
        connect(f"{address}/api/v1/ws", additional_headers=mine) as socket,
    ):
        reading = [events.iter_bytes(), lines.iter_bytes()]
        assert [bool(next(each)) for each in reading] == [True, True]
        socket.send(f'{{"subscribe": ["{task}"]}}')
        assert "subscriptions" in str(socket.recv(10))
        time.sleep(5)
        began = time.monotonic()
        here.delete(f"{KEYS}/{key['id']}").raise_for_status()
        for each in reading:
            for _ in each:
                pass
        with pytest.raises(ConnectionClosed, match="1008"):
            list(socket)
        assert time.monotonic() - began < WITHIN
    assert status(there, key["secret"]) == 401
