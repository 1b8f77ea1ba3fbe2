"""A-06: nobody sets by a field what is not theirs to set: an owner, a status, a role, a priority, a digest."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain.access import Scope
from domain.task import TaskId, TaskStatus
from tests.entrypoints.http_routes import ANY_ID
from tests.entrypoints.http_service import Api

WANTED: dict[str, Any] = {
    "tenant_id": ANY_ID, "owner": ANY_ID, "owner_id": ANY_ID, "user_id": ANY_ID, "id": ANY_ID, "status": "done",
    "role": "admin", "is_admin": True, "priority": 9, "digest": "00", "created_at": "2020-01-01T00:00:00Z",
    "revision": 7, "lease": {}, "quarantined": False, "__class__": "x",
}  # fmt: skip
FORMS = {"/api/v1/auth/token", "/compat/platform/api/v1/auth/token"}
"""What OAuth 2.0 says: unknown fields of a login are ignored."""
HARMLESS = {"status", "priority"}
"""Words that some bodies use for something else; those are told apart below by what becomes of them."""


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


def bodies(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation that takes a JSON object, with the object's schema."""
    spec = api.app().openapi_schema.to_schema()
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            named = schema.get("$ref", "").rpartition("/")[2]
            if schema:
                yield method, path, spec["components"]["schemas"][named] if named else schema


async def test_a06_no_body_takes_a_field_that_it_does_not_name(api: Api, client: httpx.AsyncClient) -> None:
    tried = 0
    for method, path, schema in bodies(api):
        if path in FORMS:
            continue
        given = {
            name: each["examples"][0] for name, each in schema.get("properties", {}).items() if each.get("examples")
        }
        sample = {name: given[name] for name in schema.get("required", []) if name in given}
        filled = path
        for name in ("task_id", "key_id", "webhook_id", "upload_id", "clip_id", "batch_id", "job_id", "delivery_id"):
            filled = filled.replace(f"{{{name}}}", ANY_ID)
        for name, value in WANTED.items():
            if name in schema.get("properties", {}):
                assert name in HARMLESS, (path, name)
                continue
            answer = await client.request(method, filled.replace("{label}", "spk_1"), json=sample | {name: value})
            assert answer.status_code in {400, 415, 422}, (method, path, name, answer.text)
            tried += 1
    assert tried > 200


async def test_a06_a_form_with_more_than_its_fields_is_refused_or_changes_nothing(
    api: Api, client: httpx.AsyncClient
) -> None:
    for name, value in WANTED.items():
        answer = await client.post(
            "/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, data={name: str(value)}
        )  # fmt: skip
        if answer.status_code == 202:
            task = await api.task(TaskId(UUID(answer.json()["task_id"])))
            assert task is not None
            assert (task.priority, task.status, task.revision) == (0, TaskStatus.QUEUED, 0), name
            assert str(task.owner) != ANY_ID
        else:
            assert answer.status_code == 422, name


async def test_a06_a_login_gives_what_the_user_has_whatever_else_it_names(client: httpx.AsyncClient) -> None:
    user = {"email": "ann@example.org", "password": secrets.token_urlsafe(12)}
    registered = (await client.post("/api/v1/auth/register", json=user)).json()
    for more in ({}, {name: str(value) for name, value in list(WANTED.items())[:6]}):
        form = {"username": user["email"], "password": user["password"], "scope": "read"} | more
        token = (await client.post("/api/v1/auth/token", data=form)).json()
        assert token["scope"] == "read"
        head = {"Authorization": f"Bearer {token['access_token']}"}
        assert (await client.get("/api/v1/keys", headers=head)).status_code == 403
        assert (await client.get("/api/v1/tasks", headers=head)).json()["tasks"] == []
    assert registered["id"] != ANY_ID


async def test_a06_a_key_never_makes_a_stronger_one(api: Api, client: httpx.AsyncClient) -> None:
    strong, _ = await api.keys.issue("strong")
    _, secret = await api.keys.issue("weak", owner=strong.owner, scopes=[Scope.ADMIN], priority=2)
    head = {"Authorization": f"Bearer {secret}"}
    made = await client.post("/api/v1/keys", json={"name": "k", "scopes": ["admin"]}, headers=head)
    assert made.status_code == 201
    async with api.new_uow() as uow:
        stored = await uow.api_keys.get(UUID(made.json()["id"]))
    assert stored is not None
    assert (stored.priority, stored.owner) == (2, strong.owner)
    for method, path, body in (
        ("POST", "/api/v1/keys", {"name": "k", "scopes": ["admin", "read"]}),
        ("PATCH", f"/api/v1/keys/{made.json()['id']}", {"scopes": ["read"]}),
        ("POST", f"/api/v1/keys/{strong.id}/rotate", {}),
    ):
        answer = await client.request(method, path, json=body, headers=head)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)
