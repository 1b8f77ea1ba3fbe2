"""A-14: whatever breaks behind whichever route, the caller is told nothing of it, and the log once."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn
from unittest.mock import ANY
from uuid import UUID

import httpx
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from structlog.typing import EventDict

from domain.task import TaskId
from tests.entrypoints.http_service import Api, a_transcript

CANARY = "SELECT secret FROM /var/lib/colloquy/data.sqlite3 -- sqlite 3.40.1"


class Broken(Exception):
    """What nobody foresaw."""


def breaks(*_: object, **__: object) -> NoReturn:
    raise Broken(CANARY)


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


def recorded() -> AbstractContextManager[list[EventDict]]:
    return capture_logs(processors=[merge_contextvars])


def operations(api: Api) -> list[tuple[str, str]]:
    paths = api.app().openapi_schema.to_schema()["paths"]
    found = [(method, path) for path, item in paths.items() for method in item]
    # These two touch nothing that could break.
    return [(method, path) for method, path in found if not path.endswith(("/health", "/live"))]


SOME_ID = "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"
BODIES: dict[str, dict[str, object]] = {
    "/uploads": {"filename": "a.wav", "size": 5},
    "/retry": {"force": False},
    "/revisions": {"num_speakers": 2},
    "/speakers/spk_0": {"name": "Alice"},
    "/speakers/merge": {"speaker": "spk_0", "into": "spk_1"},
    "/words/reassign": {"start": 0.0, "end": 1.0, "speaker": "spk_0"},
    "/webhooks": {"url": "https://127.0.0.1/hook"},
    f"/webhooks/{SOME_ID}": {"description": "ours"},
    f"/tasks/{SOME_ID}": {"title": "Meeting"},
    "/keys": {"name": "ours", "scopes": ["read"]},
    f"/keys/{SOME_ID}": {"name": "ours"},
    "/rotate": {},
    "/tokens": {"scopes": ["read"]},
}


async def call(client: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
    for name, value in {
        "task_id": SOME_ID,
        "upload_id": SOME_ID,
        "clip_id": SOME_ID,
        "job_id": SOME_ID,
        "webhook_id": SOME_ID,
        "key_id": SOME_ID,
        "batch_id": SOME_ID,
        "delivery_id": SOME_ID,
        "label": "spk_0",
        "seq": "1",
    }.items():
        path = path.replace(f"{{{name}}}", value)
    if "/tus" in path:
        piece = {"content-type": "application/offset+octet-stream", "upload-offset": "0"}
        length = {"upload-length": "5"} if method == "post" else {}
        return await client.request(method, path, headers={"tus-resumable": "1.0.0", **piece, **length})
    if path.endswith(("/api/transcribe", "/transcribe/stream")):
        return await client.post(path, params={"clip_id": SOME_ID})
    if path.endswith(("/asr", "/detect-language")) or path in {"/diarize", "/compat/diarizer/diarize"}:
        return await client.post(path, files={"audio_file": ("a.wav", b"audio")})
    takes_file = path.endswith(("/transcribe", "/speaker/diarize", "/jobs", "/audio", "/batches"))
    if method == "post" and takes_file:
        part = "files" if path.endswith("/batches") else "file"
        return await client.post(path, files={part: ("a.wav", b"audio")})
    if path.startswith("/v1/audio/"):
        fields = {"model": "whisper-1", "language": "en"}
        return await client.post(path, files={"file": ("a.wav", b"audio")}, data=fields)
    body = next((body for end, body in BODIES.items() if method not in {"get", "delete"} and path.endswith(end)), None)
    if path.endswith(f"/{SOME_ID}/replay"):
        path += "?since=2026-01-01T00:00:00Z"
    return await client.request(method, path, json=body)


def leaks_nothing(answer: httpx.Response, lines: list[EventDict]) -> None:
    assert answer.status_code == 500
    body = answer.json() if answer.request.method != "HEAD" else {}
    if answer.request.method == "HEAD":
        assert answer.text == ""
    elif answer.request.url.path.startswith(("/compat/platform/", "/api/v1/speaker/")):
        assert body == {"error_code": "INTERNAL_ERROR", "message": ANY, "details": {}}
    elif answer.request.url.path.startswith("/v1/"):  # its clients read the id from the header
        assert body == {"error": {"message": ANY, "type": "server_error", "param": None, "code": "internal_error"}}
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["code"] == "internal_error"
        assert body["request_id"] == answer.headers["x-request-id"]
    for word in ("SELECT", "/var", "sqlite", "Broken", "Traceback", ".py", "python", "litestar", "uvicorn"):
        assert word not in answer.text
        assert word not in str(answer.headers)
    errors = [line for line in lines if line["log_level"] == "error"]
    assert len(errors) == 1
    assert isinstance(errors[0]["exc_info"], Broken)
    assert errors[0]["request_id"] == answer.headers["x-request-id"]


async def test_a14_every_route_over_a_broken_database(
    api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for broken in ("get", "page", "now"):
        monkeypatch.setattr(f"adapters.persistence.memory.MemoryTasks.{broken}", breaks)
    for broken in ("get", "page"):
        monkeypatch.setattr(f"adapters.persistence.memory_deletions.MemoryDeletions.{broken}", breaks)
    monkeypatch.setattr("adapters.persistence.memory_uploads.MemoryUploads.get", breaks)
    monkeypatch.setattr("adapters.persistence.memory_resumables.MemoryResumables.get", breaks)
    for broken in ("get", "page"):
        monkeypatch.setattr(f"adapters.persistence.memory_clips.MemoryClips.{broken}", breaks)
    for broken in ("add", "get", "all"):
        monkeypatch.setattr(f"adapters.persistence.memory.MemoryApiKeys.{broken}", breaks)
    for broken in ("get", "page"):
        monkeypatch.setattr(f"adapters.persistence.memory_batches.MemoryBatches.{broken}", breaks)
    for broken in ("get", "of"):
        monkeypatch.setattr(f"adapters.persistence.memory_webhooks.MemoryWebhooks.{broken}", breaks)
    monkeypatch.setattr("application.list_models.ListModels.__call__", breaks)  # it asks no database
    api.health = breaks
    for method, path in operations(api):
        if "/auth/" in path or path.endswith("/tokens"):
            continue  # they ask for a login or a password first
        with recorded() as lines:
            answer = await call(client, method, path)
        leaks_nothing(answer, lines)
        assert api.spooled() == [], path


async def test_a14_every_route_while_callers_cannot_be_told(
    api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.persistence.memory.MemoryApiKeys.by_digests", breaks)
    for method, path in operations(api):
        if path.startswith("/health") or path.endswith(("/auth/register", "/auth/token")):
            continue  # they ask for no caller
        with recorded() as lines:
            answer = await call(client, method, path)
        leaks_nothing(answer, lines)


async def test_a14_broken_storage(api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await call(client, "post", "/transcribe")
    task_id = TaskId(UUID(answer.json()["task_id"]))
    await api.finish(task_id, a_transcript(task_id))
    for method in ("adopt", "open", "delete"):
        monkeypatch.setattr(api.blobs, method, breaks)
    for verb, path in (("post", "/transcribe"), ("get", f"/result/{task_id}")):
        with recorded() as lines:
            answer = await call(client, verb, path)
        leaks_nothing(answer, lines)
    # The task is gone; its bytes follow when the store is well again, and the receipt says when.
    answer = await call(client, "delete", f"/api/v1/tasks/{task_id}")
    assert (answer.status_code, answer.text) == (204, "")
    assert (await call(client, "get", f"/api/v1/deletions/{task_id}")).json()["completed_at"] is None
    assert api.spooled() == []


async def test_a14_what_was_foreseen_is_not_logged_as_an_error(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    with recorded() as lines:
        await call(client, "get", "/status/{task_id}")
        await call(client, "get", "/nowhere")
    assert [line["log_level"] for line in lines] == ["info", "info"]
