"""A-05: on every route that takes an id of whatever kind, somebody else's is told from nobody's by nothing.

The routes are the application's own. A parameter that no line below knows how to make fails here by name.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from adapters.system import Uuid7Factory
from domain.audit import Action
from tests.entrypoints.http_routes import WEBSOCKET, Route, every_route
from tests.entrypoints.http_service import Api

TUS = {"tus-resumable": "1.0.0"}
FILE = {"file": ("a.wav", b"audio")}
BODIES: dict[str, dict[str, Any]] = {
    "PATCH /api/v1/keys/{key_id:uuid}": {"json": {"name": "mine now"}},
    "PATCH /api/v1/tasks/{task_id:uuid}": {"json": {"title": "mine now"}},
    "PATCH /api/v1/tasks/{task_id:uuid}/speakers/{label:str}": {"json": {"name": "Ann"}},
    "PATCH /api/v1/tus/{upload_id:uuid}": {
        "content": b"aud",
        "headers": TUS | {"upload-offset": "0", "content-type": "application/offset+octet-stream"},
    },
    "PATCH /api/v1/webhooks/{webhook_id:uuid}": {"json": {"description": "mine now"}},
    "POST /api/v1/keys/{key_id:uuid}/rotate": {"json": {}},
    "POST /api/v1/tasks/{task_id:uuid}/revisions": {"json": {"num_speakers": 2}},
    "POST /api/v1/tasks/{task_id:uuid}/speakers/merge": {"json": {"speaker": "spk_2", "into": "spk_1"}},
    "POST /api/v1/tasks/{task_id:uuid}/words/reassign": {"json": {"start": 0, "end": 1, "speaker": "guest"}},
    "POST /api/v1/webhooks/{webhook_id:uuid}/replay": {"params": {"since": "2026-01-01T00:00:00Z"}},
    "PUT /api/v1/uploads/{upload_id:uuid}": {"content": b"audio"},
}
"""What a route is sent beside its path, where it needs something."""
LATER = {"GET /api/v1/deletions/{task_id:uuid}", "DELETE /api/v1/tasks/{task_id:uuid}/edits/{seq:int}"}
"""What does not exist for the owner either, until something else has been done: `test_a05_other_owners.py` does it."""
ENDLESS = ("/events", "/stream")
"""What answers the owner for as long as the task lives."""

Make = Callable[[httpx.AsyncClient, dict[str, str]], Awaitable[str]]


async def a_task(client: httpx.AsyncClient, owner: dict[str, str]) -> str:
    return str((await client.post("/api/v1/transcribe", files=FILE, headers=owner)).json()["task_id"])


async def an_upload(client: httpx.AsyncClient, owner: dict[str, str]) -> str:
    return str((await client.post("/api/v1/uploads", json={"size": 5}, headers=owner)).json()["upload_id"])


async def a_tus_upload(client: httpx.AsyncClient, owner: dict[str, str]) -> str:
    answer = await client.post("/api/v1/tus", headers=owner | TUS | {"upload-length": "5"})
    return str(answer.headers["location"]).rpartition("/")[2]


async def a_clip(client: httpx.AsyncClient, owner: dict[str, str]) -> str:
    return str((await client.post("/api/v1/audio", files=FILE, headers=owner)).json()["clip_id"])


async def a_batch(client: httpx.AsyncClient, owner: dict[str, str]) -> str:
    answer = await client.post("/api/v1/batches", files={"files": ("a.wav", b"audio")}, headers=owner)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batch_id"])


async def a_webhook(client: httpx.AsyncClient, owner: dict[str, str]) -> str:
    hook = {"url": f"https://{secrets.token_hex(4)}.example.org/hook"}
    return str((await client.post("/api/v1/webhooks", json=hook, headers=owner)).json()["id"])


async def a_key(client: httpx.AsyncClient, owner: dict[str, str]) -> str:
    made = {"name": "theirs", "scopes": ["read"]}
    return str((await client.post("/api/v1/keys", json=made, headers=owner)).json()["id"])


MAKE: dict[str, Make] = {
    "task_id": a_task, "job_id": a_task, "upload_id": an_upload, "clip_id": a_clip, "batch_id": a_batch,
    "webhook_id": a_webhook, "key_id": a_key,
}  # fmt: skip


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as made:
        yield made


def with_ids(api: Api) -> list[Route]:
    return [route for route in every_route(api.app()) if "uuid" in route.parameters.values()]


def kept(api: Api) -> dict[str, Any]:
    """Every row but those of keys, whose last use is noted, and the audit log, which tells of the attempt."""
    rows = api.database.rows.copy()
    rows.audit = {}
    rows.api_keys = dict.fromkeys(rows.api_keys, b"")
    return {name: getattr(rows, name) for name in rows.__slots__}


def refused(api: Api, about: str) -> set[str]:
    """Who asked after this in vain, as the audit log has it."""
    facts = [entry.fact for entry in api.database.rows.audit.values()]
    return {fact.actor for fact in facts if fact.action is Action.REFUSED and fact.object == about}


async def strangers(api: Api, client: httpx.AsyncClient) -> dict[str, dict[str, str]]:
    """Two roles of another owner: whoever holds a key that may do everything, and a user who has logged in."""
    user = {"email": "eve@example.org", "password": secrets.token_urlsafe(12)}
    await client.post("/api/v1/auth/register", json=user)
    form = {"username": user["email"], "password": user["password"]}
    token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    return {"key": await api.issue_key("eve"), "user": {"Authorization": f"Bearer {token}"}}


def test_a05_every_id_in_a_path_is_known_here(api: Api) -> None:
    known = {*MAKE, "delivery_id"}
    assert {name for route in with_ids(api) for name, kind in route.parameters.items() if kind == "uuid"} <= known
    assert len(with_ids(api)) > 50
    assert not [route for route in with_ids(api) if route.method == WEBSOCKET]


@pytest.mark.timeout(90)
async def test_a05_another_owners_id_is_nobodys(api: Api, client: httpx.AsyncClient) -> None:
    owner, others, new_id = await api.issue_key("owner"), await strangers(api, client), Uuid7Factory().new
    routes = with_ids(api)
    for route in routes:
        name = next(iter(route.parameters))
        make = a_tus_upload if "/tus/" in route.template else MAKE[name]
        theirs = await make(client, owner)
        UUID(theirs)

        async def ask(id: str, headers: dict[str, str], route: Route = route, name: str = name) -> tuple[int, str, str]:
            sent = {**BODIES.get(str(route), {})}
            if route.method == "POST":
                sent.setdefault("json", None)
            sent["headers"] = {**sent.get("headers", {}), **(TUS if "/tus/" in route.template else {}), **headers}
            answer = await client.request(route.method, route.path(**{name: id}), **sent)
            told = sorted((key, value) for key, value in answer.headers.items() if key not in {"date", "x-request-id"})
            request = answer.headers["x-request-id"]
            return answer.status_code, answer.text.replace(id, "ID").replace(request, ""), str(told).replace(id, "ID")

        before = kept(api)
        for role, headers in others.items():
            foreign, none = await ask(theirs, headers), await ask(str(new_id()), headers)
            assert foreign == none, (str(route), role)
            assert foreign[0] == 404, (str(route), role, foreign)
            assert kept(api) == before, (str(route), role)
        await api.notes.flush()
        # A delivery is looked for among one's own, and of what is not deleted there is no receipt to refuse.
        if "delivery_id" not in route.parameters and "/deletions/" not in route.template:
            assert len(refused(api, theirs)) == len(others), (str(route), "the attempts are told in the audit log")
        if route.template.endswith(ENDLESS):
            continue
        own = await ask(theirs, owner)
        assert own[0] != 404 or str(route) in LATER or "delivery_id" in route.parameters, (str(route), own)
        assert own[0] < 500, (str(route), own)


@pytest.mark.parametrize("make", [an_upload, a_clip])
async def test_a05_nor_does_an_id_in_a_body_help(api: Api, client: httpx.AsyncClient, make: Make) -> None:
    owner, others = await api.issue_key("owner"), await strangers(api, client)
    theirs, nobodys = await make(client, owner), str(Uuid7Factory().new())
    name = "upload_id" if make is an_upload else "clip_id"
    for headers in others.values():
        answers = [
            await client.post("/api/v1/transcribe", json={name: id}, headers=headers | {"x-request-id": "the-same-id"})
            for id in (theirs, nobodys)  # noqa: A001
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].text.replace(theirs, "ID") == answers[1].text.replace(nobodys, "ID")


async def test_a05_a_token_for_somebody_elses_task_opens_nothing(api: Api, client: httpx.AsyncClient) -> None:
    owner, others = await api.issue_key("owner"), await strangers(api, client)
    theirs = await a_task(client, owner)
    for headers in others.values():
        lent = await client.post("/api/v1/tokens", json={"scopes": ["read"], "task_id": theirs}, headers=headers)
        token = {"Authorization": f"Bearer {lent.json()['token']}"}
        assert (await client.get(f"/api/v1/tasks/{theirs}", headers=token)).status_code == 404


async def test_a05_lists_show_ones_own_alone(api: Api, client: httpx.AsyncClient) -> None:
    owner, others = await api.issue_key("owner"), await strangers(api, client)
    made = [await make(client, owner) for make in {*MAKE.values(), a_tus_upload}]
    lists = [route for route in every_route(api.app()) if route.method == "GET" and not route.parameters]
    for route in lists:
        for headers in others.values():
            answer = await client.get(route.path(), headers=headers)
            assert not [id for id in made if id in answer.text], route  # noqa: A001
