"""The history over HTTP: labels, filters, equal work done once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain.labels import MAX_TAG, MAX_TAGS, MAX_TITLE
from domain.task import TaskError, TaskId
from tests.entrypoints.http_service import Api, a_transcript
from tests.promises.sql_api import SqlApi, database


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


async def submit(client: httpx.AsyncClient, media: bytes = b"audio", **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/transcribe", files={"file": ("a.wav", media)}, data=fields)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def listed(client: httpx.AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/api/v1/tasks?{query}")
    assert answer.status_code == 200, answer.text
    return [task["task_id"] for task in answer.json()["tasks"]]


async def test_a_page_comes_from_either_end_and_not_again_while_it_is_the_same(client: httpx.AsyncClient) -> None:
    tasks = [(await submit(client))["task_id"] for _ in range(3)]
    assert await listed(client, "") == tasks[::-1]
    assert await listed(client, "sort=created_at") == tasks
    first = await client.get("/api/v1/tasks?sort=created_at&limit=2")
    assert await listed(client, f"sort=created_at&limit=2&cursor={first.json()['next_cursor']}") == tasks[2:]
    known = {"If-None-Match": first.headers["etag"]}
    same = await client.get("/api/v1/tasks?sort=created_at&limit=2", headers=known)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    await client.patch(f"/api/v1/tasks/{tasks[0]}", json={"title": "Another"})
    assert (await client.get("/api/v1/tasks?sort=created_at&limit=2", headers=known)).status_code == 200
    for query in ("sort=title", "sort=created_at&q=word"):
        refused = await client.get(f"/api/v1/tasks?{query}")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_options")


async def test_labels_are_given_at_submission_and_changed_later(client: httpx.AsyncClient) -> None:
    task = (await submit(client, title="  Board\t meeting ", tags=["a, b", "c", "a"]))["task_id"]
    shown = (await client.get(f"/api/v1/tasks/{task}")).json()
    assert (shown["title"], shown["tags"]) == ("Board meeting", ["a", "b", "c"])
    changed = await client.patch(f"/api/v1/tasks/{task}", json={"tags": ["d"]})
    assert (changed.json()["title"], changed.json()["tags"]) == ("Board meeting", ["d"])
    changed = await client.patch(f"/api/v1/tasks/{task}", json={"title": "", "tags": []})
    assert (changed.json()["title"], changed.json()["tags"]) == ("", [])
    assert await listed(client, "tag=d") == []
    assert (await client.get("/api/v1/tasks")).json()["tasks"][0]["title"] == ""


@pytest.mark.parametrize(
    "labels",
    [{"title": "x" * (MAX_TITLE + 1)}, {"tags": ["x" * (MAX_TAG + 1)]}, {"tags": list("abcdefghijklmnopqrstu")}],
)
async def test_labels_have_their_bounds(client: httpx.AsyncClient, labels: dict[str, Any]) -> None:
    assert MAX_TAGS == 20
    task = (await submit(client))["task_id"]
    assert (await client.patch(f"/api/v1/tasks/{task}", json=labels)).status_code in {400, 422}
    refused = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, data=labels)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_options")
    assert (await client.patch(f"/api/v1/tasks/{task}", json={"status": "done"})).status_code in {400, 422}


async def test_filters_go_together(api: Api, client: httpx.AsyncClient) -> None:
    first = (await submit(client, tags="a,b", lang="en"))["task_id"]
    second = (await submit(client, tags="a"))["task_id"]
    await api.fail(TaskId(UUID(second)), TaskError("engine_failed", "it fell"))
    now = datetime.now(UTC)  # noqa: TID251 - what a caller's own clock says
    later, earlier = ((now + timedelta(hours=hours)).isoformat().replace("+", "%2B") for hours in (1, -1))
    for query, expected in (
        ("tag=a", [second, first]),
        ("tag=a&tag=b", [first]),
        ("status=error", [second]),
        ("status=error&status=queued", [second, first]),
        ("status=done", []),
        ("language=en", [first]),
        (f"created_after={earlier}&created_before={later}", [second, first]),
        (f"created_after={later}", []),
        ("tag=a&status=queued&language=en", [first]),
        ("q=nothing&tag=a", []),
    ):
        assert await listed(client, query) == expected, query
    page = (await client.get("/api/v1/tasks?tag=a&limit=1")).json()
    assert await listed(client, f"tag=a&limit=1&cursor={page['next_cursor']}") == [first]


@pytest.mark.parametrize(
    "query",
    [
        "status=gone", "created_after=yesterday", "created_after=2026-01-01T00:00:00", "batch=1", "tag=",
        "created_before=0.5", "created_before=1767225600", "created_after=0001-01-01T00:00:00%2B14:00",
    ],
)  # fmt: skip
async def test_a_filter_that_cannot_be_read_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1/tasks?{query}")
    assert answer.status_code == 422
    if query.startswith("created"):
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#/" + query.partition("=")[0]]


async def test_the_same_work_is_done_once_when_asked_so(api: Api, client: httpx.AsyncClient) -> None:
    first = await submit(client, lang="en", reuse="true")
    assert first["reused"] is False
    again = await submit(client, lang="en", reuse="true")
    assert (again["reused"], again["task_id"], again["status"]) == (True, first["task_id"], "queued")
    task_id = TaskId(UUID(first["task_id"]))
    await api.finish(task_id, a_transcript(task_id))
    assert (await submit(client, lang="en", reuse="true", title="x"))["status"] == "done"
    assert (await submit(client, lang="de", reuse="true"))["reused"] is False
    assert (await submit(client, lang="en"))["reused"] is False
    assert (await submit(client, b"other audio", lang="en", reuse="true"))["reused"] is False
    async with api.client(await api.issue_key("other")) as stranger:
        assert (await submit(stranger, lang="en", reuse="true"))["reused"] is False
    for task in (await client.get("/api/v1/tasks?language=en")).json()["tasks"]:
        await client.delete(f"/api/v1/tasks/{task['task_id']}")
    assert (await submit(client, lang="en", reuse="true"))["reused"] is False
    assert api.spooled() == []


async def test_an_upload_and_a_key_go_with_reuse(api: Api, client: httpx.AsyncClient) -> None:
    first = await submit(client, reuse="true")
    offer = (await client.post("/api/v1/uploads", json={"size": 5})).json()
    await client.put(offer["url"], content=b"audio")
    body = {"upload_id": offer["upload_id"], "reuse": "true"}
    for _ in range(2):
        again = await client.post("/api/v1/transcribe", json=body, headers={"Idempotency-Key": "k"})
        assert (again.status_code, again.json()["task_id"]) == (202, first["task_id"])
    assert [key async for key in api.blobs.list("")] == [f"media/{first['task_id']}"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_of_many_at_once_one_works(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> None:
    request.param = kind
    async with database(request, tmp_path) as engine:
        api = SqlApi(tmp_path, engine)
        async with api.client(await api.issue_key()) as client:
            answers = await asyncio.gather(*[submit(client, reuse="true") for _ in range(12)])
        assert len({answer["task_id"] for answer in answers}) == 1
        assert sorted(answer["reused"] for answer in answers) == [False] + [True] * 11
        assert len(api.recordings(tmp_path)) == len(await api.queued()) == 1
