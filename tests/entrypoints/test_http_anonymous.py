"""ANONYMOUS=local: who shows nothing is this machine's user, if nobody stands between; who shows a bad key is not."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from application.manage_api_keys import LOCAL_OWNER
from tests.entrypoints.http_service import Api

TASKS = "/api/v1/tasks"
HERE = {"host": "127.0.0.1:8000"}


class LocalApi(Api):
    anonymous = True


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return LocalApi(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(HERE) as made:
        yield made


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "127.9.9.9"])
async def test_who_shows_nothing_is_the_local_owner(api: Api, client: httpx.AsyncClient, host: str) -> None:
    head = {"host": host}
    made = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, headers=head)
    assert made.status_code == 202
    assert [each["task_id"] for each in (await client.get(TASKS, headers=head)).json()["tasks"]] == [
        made.json()["task_id"]
    ]
    _, secret = await api.keys.issue("the same owner's", owner=LOCAL_OWNER)
    shown = await client.get(TASKS, headers=head | {"Authorization": f"Bearer {secret}"})
    assert len(shown.json()["tasks"]) == 1
    assert (await client.get("/api/v1/keys", headers=head)).status_code == 403, "keys take a key"


async def test_a_bad_credential_is_none(api: Api, client: httpx.AsyncClient) -> None:
    key, secret = await api.keys.issue("revoked", owner=LOCAL_OWNER)
    await api.keys.revoke(key.id)
    for header in ("", "Bearer", "Bearer x", f"Bearer {secret}", "Basic eDp5"):
        assert (await client.get(TASKS, headers={"Authorization": header})).status_code == 401
    assert (await client.get(TASKS, params={"access_token": "x"})).status_code == 401
    assert (await client.get(TASKS)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example.org:8000"},
        {"host": "192.0.2.7"},
        {"host": ""},
        {"host": "127.0.0.1.example.org"},
        {"host": "[::1"},
        {"x-forwarded-for": "192.0.2.7"},
        {"forwarded": "for=192.0.2.7"},
        {"x-real-ip": "192.0.2.7"},
        {"via": "1.1 proxy"},
        {"origin": "https://evil.example.org"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_whoever_may_be_somebody_else_needs_a_key(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await client.get(TASKS, headers=headers)).status_code == 401
    sent = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, headers=headers)
    assert sent.status_code == 401


async def test_a_page_of_the_service_itself_may(client: httpx.AsyncClient) -> None:
    own = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    assert (await client.get(TASKS, headers=own)).status_code == 200


async def test_a_token_that_was_lent_without_a_key_ends_with_the_setting(
    api: Api, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    lent = (await client.post("/api/v1/tokens", json={"scopes": ["read"]})).json()["token"]
    token = {"Authorization": f"Bearer {lent}", "host": "elsewhere"}
    assert (await client.get(TASKS, headers=token)).status_code == 200
    strict = Api(tmp_path / "strict")
    strict.database = api.database
    async with strict.client() as other:
        assert (await other.get(TASKS, headers=token)).status_code == 401


async def test_it_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    async with Api(tmp_path / "strict").client(HERE) as client:
        assert (await client.get(TASKS)).status_code == 401
