"""A-14: whatever breaks behind whichever route, the caller is told nothing of it, and the log once."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn
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


async def call(client: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
    path = path.replace("{task_id}", "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e")
    if path.endswith("/transcribe"):
        return await client.post(path, files={"file": ("a.wav", b"audio")})
    return await client.request(method, path)


def leaks_nothing(answer: httpx.Response, lines: list[EventDict]) -> None:
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == "internal_error"
    assert body["request_id"] == answer.headers["x-request-id"]
    for word in ("SELECT", "/var", "sqlite", "Broken", "Traceback", ".py", "python", "litestar", "uvicorn"):
        assert word not in answer.text
        assert word not in str(answer.headers)
    errors = [line for line in lines if line["log_level"] == "error"]
    assert len(errors) == 1
    assert isinstance(errors[0]["exc_info"], Broken)
    assert errors[0]["request_id"] == body["request_id"]


async def test_a14_every_route_over_a_broken_database(
    api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for broken in ("get", "page", "now"):
        monkeypatch.setattr(f"adapters.persistence.memory.MemoryTasks.{broken}", breaks)
    monkeypatch.setattr("application.list_models.ListModels.__call__", breaks)  # it asks no database
    api.health = breaks
    for method, path in operations(api):
        with recorded() as lines:
            answer = await call(client, method, path)
        leaks_nothing(answer, lines)
        assert api.spooled() == [], path


async def test_a14_every_route_while_callers_cannot_be_told(
    api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.persistence.memory.MemoryApiKeys.by_digest", breaks)
    for method, path in operations(api):
        if path.startswith("/health"):
            continue
        with recorded() as lines:
            answer = await call(client, method, path)
        leaks_nothing(answer, lines)


async def test_a14_broken_storage(api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await call(client, "post", "/transcribe")
    task_id = TaskId(UUID(answer.json()["task_id"]))
    await api.finish(task_id, a_transcript(task_id))
    for method in ("adopt", "open", "delete"):
        monkeypatch.setattr(api.blobs, method, breaks)
    for verb, path in (("post", "/transcribe"), ("get", f"/result/{task_id}"), ("delete", f"/api/v1/tasks/{task_id}")):
        with recorded() as lines:
            answer = await call(client, verb, path)
        leaks_nothing(answer, lines)
    assert api.spooled() == []


async def test_a14_what_was_foreseen_is_not_logged_as_an_error(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    with recorded() as lines:
        await call(client, "get", "/status/{task_id}")
        await call(client, "get", "/nowhere")
    assert [line["log_level"] for line in lines] == ["info", "info"]
