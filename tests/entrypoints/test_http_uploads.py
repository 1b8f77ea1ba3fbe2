"""Uploads in two steps and recordings given back, over the folder store."""

import hashlib
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain.task import TaskId
from tests.entrypoints.http_service import Api

CONTENT = bytes(range(256)) * 5000
SIZE = len(CONTENT)


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path, max_upload=2_000_000)


async def announced(client: httpx.AsyncClient, **fields: object) -> dict[str, str]:
    answer = await client.post("/api/v1/uploads", json={"filename": 'März "1".MP3', "size": SIZE} | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def submitted(client: httpx.AsyncClient, upload_id: str) -> httpx.Response:
    return await client.post("/api/v1/transcribe", files={"upload_id": (None, upload_id)})


async def a_task(client: httpx.AsyncClient) -> str:
    offer = await announced(client)
    assert (await client.put(offer["url"], content=CONTENT)).status_code == 204
    return str((await submitted(client, offer["upload_id"])).json()["task_id"])


async def test_an_upload_is_for_its_owner_alone(api: Api) -> None:
    async with api.client(await api.issue_key()) as owner, api.client(await api.issue_key()) as other:
        offer = await announced(owner)
        refused = [await other.put(offer["url"], content=CONTENT), await submitted(other, offer["upload_id"])]
        assert (await owner.put(offer["url"], content=CONTENT)).status_code == 204
        refused.append(await submitted(other, offer["upload_id"]))
        unknown = await other.put("/api/v1/uploads/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e", content=CONTENT)
        for answer in (*refused, unknown):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        task = (await submitted(owner, offer["upload_id"])).json()["task_id"]
        assert (await other.get(f"/api/v1/tasks/{task}/media")).status_code == 404
    stored = await api.task(TaskId(UUID(task)))
    assert stored is not None
    assert (stored.media.sha256, stored.media.size) == (hashlib.sha256(CONTENT).hexdigest(), SIZE)
    assert api.spooled() == []


async def test_what_cannot_be_announced_or_sent_is_refused(api: Api) -> None:
    async with api.client(await api.issue_key()) as client:
        for fields in ({"size": 0}, {"size": "x"}, {"size": 9, "sha256": "abc"}, {"size": 9, "sise": 9}, {}):
            answer = await client.post("/api/v1/uploads", json=fields)
            assert answer.status_code in {400, 422}, fields
        assert (await client.post("/api/v1/uploads", json={"size": 2_000_001})).status_code == 413
        assert (await client.post("/api/v1/uploads", content=b"x" * 100_000)).status_code in {400, 413, 415}
        offer = await announced(client, sha256="ab" * 32)
        sent = {
            "too_large": await client.put(offer["url"], content=CONTENT + b"x"),
            "upload_incomplete": await client.put(offer["url"], content=CONTENT[:-1]),
            "upload_mismatch": await client.put(offer["url"], content=CONTENT),
        }
        for code, answer in sent.items():
            assert answer.json()["code"] == code
        assert (await submitted(client, offer["upload_id"])).json()["code"] == "upload_incomplete"
        both: Any = {"upload_id": (None, offer["upload_id"]), "file": ("a.wav", b"a")}
        assert (await client.post("/api/v1/transcribe", files=both)).status_code == 422
        assert (await submitted(client, "not-an-id")).status_code == 422
    assert api.spooled() == []


async def test_there_is_an_end_to_uploads_that_wait(api: Api) -> None:
    async with api.client(await api.issue_key()) as client, api.client(await api.issue_key()) as other:
        for _ in range(100):
            await announced(client)
        answer = await client.post("/api/v1/uploads", json={"size": 9})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_uploads")
        await announced(other)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-99", 10, 100),
        ("bytes=1000000-", 1_000_000, SIZE),
        ("bytes=-7", SIZE - 7, SIZE),
        ("bytes=0-99999999", 0, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
        ("BYTES=5-6", 5, 7),
    ],
)
async def test_a_part_of_a_recording(api: Api, asked: str, start: int, end: int) -> None:
    async with api.client(await api.issue_key()) as client:
        answer = await client.get(f"/api/v1/tasks/{await a_task(client)}/media", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - start)


async def test_a_whole_recording_and_what_a_browser_is_told(api: Api) -> None:
    async with api.client(await api.issue_key()) as client:
        target = f"/api/v1/tasks/{await a_task(client)}/media"
        whole = await client.get(target)
        assert (whole.status_code, whole.content) == (200, CONTENT)
        assert whole.headers["content-length"] == str(SIZE)
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["content-type"] == "audio/mpeg"
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert whole.headers["content-disposition"].startswith('attachment; filename="M_rz _1_.MP3"; filename*=UTF-8')
        for asked in ("bytes=5-4", "bytes=a-b", "bytes=-", "bytes=0-1,5-6", "seconds=0-1", ""):
            assert (await client.get(target, headers={"Range": asked})).status_code == 200, asked
        for asked in (f"bytes={SIZE}-", "bytes=-0", f"bytes={SIZE + 5}-{SIZE + 9}"):
            answer = await client.get(target, headers={"Range": asked})
            assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{SIZE}"), asked
        part = {"Range": "bytes=0-1"}
        assert (await client.get(target, headers=part | {"If-Range": whole.headers["etag"]})).status_code == 206
        assert (await client.get(target, headers=part | {"If-Range": '"other"'})).status_code == 200


async def test_a_page_is_never_served_as_one(api: Api) -> None:
    async with api.client(await api.issue_key()) as client:
        form = {"file": ("evil.html", b"<script>alert(1)</script>", "text/html")}
        task = (await client.post("/api/v1/transcribe", files=form)).json()["task_id"]
        answer = await client.get(f"/api/v1/tasks/{task}/media")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_a_recording_that_is_gone_is_410(api: Api) -> None:
    async with api.client(await api.issue_key()) as client:
        task = await a_task(client)
        await api.blobs.delete(f"media/{task}")
        answer = await client.get(f"/api/v1/tasks/{task}/media")
    assert (answer.status_code, answer.json()["code"]) == (410, "media_purged")
