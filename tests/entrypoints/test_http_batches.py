"""Batches over HTTP: each recording by itself, one status for all."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from application.submit_transcription import SubmitTranscription
from domain.batch import MAX_ITEMS
from domain.errors import DatabaseUnavailable
from domain.task import TaskError, TaskId
from tests.entrypoints.http_service import Api, a_transcript
from tests.promises.sql_api import SqlApi, database

MANY = [("files", ("a.wav", b"audio")), ("files[]", ("b.wav", b"")), ("files", ("c.wav", b"more audio"))]


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path, max_upload=1000)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


async def post(client: httpx.AsyncClient, files: Any = MANY, key: str | None = None, **fields: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/api/v1/batches", files=files, data=fields, headers=headers)


async def test_each_recording_is_accepted_or_refused_by_itself(api: Api, client: httpx.AsyncClient) -> None:
    answer = await post(client, title="Interviews", tags="x", lang="en")
    batch = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/batches/{batch['batch_id']}"
    assert [item["filename"] for item in batch["items"]] == ["a.wav", "c.wav"]
    assert [(item["index"], item["code"], item["status"]) for item in batch["refused"]] == [(1, "empty_file", 422)]
    assert (batch["title"], batch["size"], batch["status"]) == ("Interviews", 3, "queued")
    assert {tuple(item["tags"]) for item in batch["items"]} == {("x",)}
    listed = (await client.get(f"/api/v1/tasks?batch={batch['batch_id']}")).json()["tasks"]
    assert [task["task_id"] for task in listed[::-1]] == [item["task_id"] for item in batch["items"]]
    assert api.spooled() == []


async def test_one_status_for_all(api: Api, client: httpx.AsyncClient) -> None:
    batch = (await post(client)).json()
    url = f"/api/v1/batches/{batch['batch_id']}"
    first, second = (TaskId(UUID(item["task_id"])) for item in batch["items"])
    polled = await client.get(url)
    assert (await client.get(url, headers={"If-None-Match": polled.headers["etag"]})).status_code == 304
    await api.finish(first, a_transcript(first))
    polled = await client.get(url, headers={"If-None-Match": polled.headers["etag"]})
    shown = polled.json()
    assert (shown["status"], shown["progress"], shown["counts"]["done"]) == ("processing", 50, 1)
    assert int(polled.headers["retry-after"]) >= 1
    await api.fail(second, TaskError("not_media", "it is no sound"))
    polled = await client.get(url)
    assert polled.json()["status"] == "partial"
    assert "retry-after" not in polled.headers
    (summary,) = (await client.get("/api/v1/batches")).json()["batches"]
    assert summary == {name: value for name, value in polled.json().items() if name not in {"items", "refused"}}


async def test_a_batch_is_cancelled_and_deleted_as_a_whole(api: Api, client: httpx.AsyncClient) -> None:
    batch = (await post(client)).json()
    url = f"/api/v1/batches/{batch['batch_id']}"
    done = TaskId(UUID(batch["items"][0]["task_id"]))
    await api.finish(done, a_transcript(done))
    for _ in range(2):
        cancelled = (await client.post(f"{url}/cancel")).json()
        assert (cancelled["counts"]["cancelled"], cancelled["counts"]["done"]) == (1, 1)
    assert (await client.delete(url)).status_code == 204
    assert [(await client.request(method, url)).status_code for method in ("GET", "DELETE")] == [404, 404]
    assert (await client.get("/api/v1/tasks")).json()["tasks"] == []
    assert [key async for key in api.blobs.list("")] == []


async def test_a_batch_goes_with_the_last_of_its_tasks(client: httpx.AsyncClient) -> None:
    batch = (await post(client)).json()
    for left, item in enumerate(batch["items"][::-1]):
        assert len((await client.get("/api/v1/batches")).json()["batches"]) == 1, left
        await client.delete(f"/api/v1/tasks/{item['task_id']}")
    assert (await client.get("/api/v1/batches")).json() == {"batches": [], "next_cursor": None}


async def test_somebody_elses_batch_is_none(api: Api, client: httpx.AsyncClient) -> None:
    batch = (await post(client)).json()["batch_id"]
    async with api.client(await api.issue_key("stranger")) as stranger:
        for method, path in (("GET", ""), ("POST", "/cancel"), ("DELETE", "")):
            foreign = await stranger.request(method, f"/api/v1/batches/{batch}{path}")
            none = await stranger.request(method, f"/api/v1/batches/{UUID(int=1)}{path}")
            assert (foreign.status_code, none.status_code) == (404, 404)
            assert foreign.json()["detail"] == none.json()["detail"].replace(str(UUID(int=1)), batch)
        assert (await stranger.get("/api/v1/batches")).json()["batches"] == []
        assert (await stranger.get(f"/api/v1/tasks?batch={batch}")).json()["tasks"] == []
    assert len((await client.get(f"/api/v1/batches/{batch}")).json()["items"]) == 2


async def test_what_is_here_or_elsewhere_is_named(client: httpx.AsyncClient) -> None:
    offer = (await client.post("/api/v1/uploads", json={"size": 5, "filename": "up.wav"})).json()
    await client.put(offer["url"], content=b"audio")
    body = {"upload_ids": [offer["upload_id"]], "urls": ["https://example.com/talk.mp3", "ftp://example.com/x"]}
    batch = (await client.post("/api/v1/batches", json={**body, "clip_ids": [str(UUID(int=1))], "lang": "en"})).json()
    assert {item["filename"] for item in batch["items"]} == {"up.wav", "talk.mp3"}
    assert {item["code"] for item in batch["refused"]} == {"url_not_allowed", "not_found"}


async def test_nothing_accepted_is_an_error_and_leaves_nothing(api: Api, client: httpx.AsyncClient) -> None:
    empty = [("files", ("a.wav", b"")), ("files", ("b.wav", b""))]
    refused = await post(client, empty, key="k")
    assert (refused.status_code, refused.json()["code"]) == (422, "empty_file")
    assert (await client.get("/api/v1/batches")).json()["batches"] == []
    assert (await post(client, key="k")).status_code == 202, "it used no key up"
    assert api.spooled() == []


@pytest.mark.parametrize(
    ("files", "fields", "status"),
    [
        ([("files", ("a.wav", b"x" * 1001))], {}, 413),
        ([("files", (f"{number}", b"x")) for number in range(MAX_ITEMS + 1)], {}, 422),
        ([("file", ("a.wav", b"x"))], {}, 422),
        (MANY, {"lang": "xx-"}, 422),
        (MANY, {"reuse": "true"}, 422),
        (MANY, {"upload_ids": "no id"}, 422),
        (MANY, {"model": "large"}, 503),
        (MANY, {"title": "x" * 20_000}, 413),
    ],
)
async def test_a_call_that_cannot_be_read_makes_nothing(
    api: Api, client: httpx.AsyncClient, files: Any, fields: dict[str, str], status: int
) -> None:
    assert (await post(client, files, **fields)).status_code == status
    assert (await client.get("/api/v1/tasks")).json()["tasks"] == []
    assert (await client.get("/api/v1/batches")).json()["batches"] == []
    assert api.spooled() == []


async def test_a_call_that_broke_off_is_finished_under_its_key(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in, calls = SubmitTranscription.hand_in, list[str]()

    async def breaks(self: SubmitTranscription, submission: Any, media: Any) -> Any:
        calls.append(submission.filename)
        if len(calls) == 2:
            raise DatabaseUnavailable("the database does not answer")
        return await hand_in(self, submission, media)

    monkeypatch.setattr(SubmitTranscription, "hand_in", breaks)
    assert (await post(client, key="k")).status_code == 503
    batch = (await post(client, key="k")).json()
    assert [item["filename"] for item in batch["items"]] == ["a.wav", "c.wav"]
    assert (await post(client, key="k")).json() == batch
    assert len((await client.get("/api/v1/tasks")).json()["tasks"]) == 2
    other = await post(client, MANY[:2], key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_twins_at_once_make_one_batch(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> None:
    request.param = kind
    async with database(request, tmp_path) as engine:
        api = SqlApi(tmp_path, engine)
        async with api.client(await api.issue_key()) as client:
            answers = await asyncio.gather(*[post(client, key="k") for _ in range(6)])
            assert {answer.status_code for answer in answers} == {202}
            assert len({answer.json()["batch_id"] for answer in answers}) == 1
            assert len((await client.get("/api/v1/tasks")).json()["tasks"]) == 2
        assert len(api.recordings(tmp_path)) == 2
