"""A-05: somebody else's task is told from no task by nothing, on any route that takes an id."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from adapters.system import Uuid7Factory
from domain.task import TaskId
from tests.entrypoints.http_service import Api, a_transcript


def routes(api: Api) -> list[tuple[str, str]]:
    """Every operation on one task, from the description, so that a new one cannot be forgotten."""
    paths = api.app().openapi_schema.to_schema()["paths"]
    return [(method, path) for path, item in paths.items() if "{task_id}" in path for method in item]


BODIES = {
    "/revisions": {"num_speakers": 2},
    "/tasks/{task_id}": {"title": "Meeting"},
    "/speakers/{label}": {"name": "Ann"},
    "/speakers/merge": {"speaker": "spk_2", "into": "spk_1"},
    "/words/reassign": {"start": 0, "end": 1, "speaker": "guest"},
}
"""What routes with a body of JSON are sent, by the end of their path."""


def request(method: str, path: str, task: str) -> dict[str, Any]:
    """A request that the owner may send."""
    body = next((body for end, body in BODIES.items() if path.endswith(end)), None)
    filled = path.replace("{task_id}", task).replace("{label}", "spk_1").replace("{seq}", "1")
    return {"method": method, "url": filled, "json": body if method in {"post", "patch"} else None}


def turn(route: tuple[str, str]) -> int:
    """When the owner sends it: undoing after the edits, deleting after all, and then its receipt."""
    method, path = route
    if "/deletions/" in path:
        return 3
    return (1 if "/edits/" in path else 2) if method == "delete" else 0


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as made:
        yield made


async def stored(api: Api) -> tuple[dict[UUID, bytes], list[tuple[str, bytes]]]:
    """All that is kept, but for when keys were used."""
    blobs = [(key, b"".join([chunk async for chunk in api.blobs.open(key)])) async for key in api.blobs.list("")]
    return dict(api.database.rows.tasks), blobs


@pytest.mark.parametrize("state", ["queued", "processing", "done"])
async def test_a05_another_owners_task_is_no_task(api: Api, client: httpx.AsyncClient, state: str) -> None:
    owner, stranger = await api.issue_key("owner"), await api.issue_key("stranger")
    answer = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, headers=owner)
    task_id = TaskId(UUID(answer.json()["task_id"]))
    if state == "processing":
        await api.claim(task_id)
    elif state == "done":
        await api.finish(task_id, a_transcript(task_id))
    nobodys = str(Uuid7Factory().new())
    assert len(routes(api)) >= 7

    before = await stored(api)
    for method, path in routes(api):

        async def ask(task: str, headers: dict[str, str], method: str = method, path: str = path) -> dict[str, Any]:
            answer = await client.request(
                **request(method, path, task), headers=headers | {"x-request-id": "the-same-id"}
            )
            return {
                "status": answer.status_code,
                "headers": {name: value for name, value in answer.headers.items() if name != "date"},
                "body": answer.text.replace(task, "ID"),
            }

        foreign, none = await ask(str(task_id), stranger), await ask(nobodys, stranger)
        assert foreign == none
        assert foreign["status"] == 404, f"{method} {path}"
        assert await stored(api) == before
    assert (await client.get("/api/v1/tasks", headers=stranger)).json() == {"tasks": [], "next_cursor": None}

    # The owner gets through on the same routes; deleting comes last, and then its receipt. Streams end at once.
    api.ending.hang_up.set()
    for method, path in sorted(routes(api), key=turn):
        answer = await client.request(**request(method, path, str(task_id)), headers=owner)
        assert answer.status_code in {200, 202, 204, 409}, f"{method} {path}"


async def test_a05_a_foreign_cursor_shows_nothing(api: Api, client: httpx.AsyncClient) -> None:
    owner, stranger = await api.issue_key("owner"), await api.issue_key("stranger")
    for _ in range(3):
        await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, headers=owner)
    cursor = (await client.get("/api/v1/tasks?limit=1", headers=owner)).json()["next_cursor"]
    page = await client.get("/api/v1/tasks", params={"cursor": cursor}, headers=stranger)
    assert page.json() == {"tasks": [], "next_cursor": None}
