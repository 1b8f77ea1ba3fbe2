"""What each route answers, over real use cases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4  # noqa: TID251 - an id that nobody has issued

import httpx
import pytest
import structlog

from domain.options import Goal
from domain.task import TaskError, TaskId
from tests.entrypoints.http_service import Api, a_transcript

AUDIO = b"RIFF" + bytes(1000)
REFUSED = (422, "invalid_options")


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


async def submit(client: httpx.AsyncClient, path: str = "/api/v1/transcribe", **fields: Any) -> httpx.Response:
    return await client.post(path, files={"file": ("Sitzung März.mp3", AUDIO, "audio/mpeg")}, data=fields)


async def submitted(client: httpx.AsyncClient, **fields: Any) -> TaskId:
    answer = await submit(client, **fields)
    assert answer.status_code == 202, answer.text
    return TaskId(UUID(answer.json()["task_id"]))


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == status
    assert body["type"].startswith("/problems/")
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


@pytest.mark.parametrize("prefix", ["/api/v1", ""])
async def test_the_seeds_own_calls_work_as_written(client: httpx.AsyncClient, api: Api, prefix: str) -> None:
    answer = await submit(client, f"{prefix}/transcribe", lang="auto", format="json", diarization="true")
    assert answer.status_code == 202
    body = answer.json()
    assert list(body)[:3] == ["task_id", "status", "message"]
    assert body["status"] == "queued"
    assert body["message"] == "Task successfully created"
    assert answer.headers["location"] == f"/api/v1/status/{body['task_id']}"
    assert (await client.get(answer.headers["location"])).status_code == 200

    status = (await client.get(f"{prefix}/status/{body['task_id']}")).json()
    assert (status["task_id"], status["status"], status["progress"]) == (body["task_id"], "queued", 0)
    assert status["queue_position"] == 0

    task_id = TaskId(UUID(body["task_id"]))
    await api.finish(task_id, a_transcript(task_id))
    result = (await client.get(f"{prefix}/result/{body['task_id']}")).json()
    assert result["task_id"] == body["task_id"]
    assert result["status"] == "done"
    assert result["language"] == "en"
    assert result["segments"][0] | {"start": 0.0, "end": 2.0, "speaker": "spk_1"} == result["segments"][0]
    assert result["full_text"].startswith("word0x0 word0x1")
    assert "processing_time" in result
    status = (await client.get(f"{prefix}/status/{body['task_id']}")).json()
    assert (status["status"], status["progress"], status["duration_seconds"]) == ("done", 100, 4.0)
    assert status["queue_position"] is None


async def test_the_recording_and_every_option_reach_the_task(client: httpx.AsyncClient, api: Api) -> None:
    task_id = await submitted(
        client,
        lang="pt-BR",
        model="scripted",
        format="srt",
        diarization="TRUE",
        min_speakers="2",
        max_speakers=" 4 ",
        channels="split",
        initial_prompt="Guten Tag,\nHallo",
        hotwords=["Zürich, Genf", "Bern"],
    )
    task = await api.task(task_id)
    assert task is not None
    assert b"".join([chunk async for chunk in api.blobs.open(task.media.key)]) == AUDIO
    assert (task.media.filename, task.media.size) == ("Sitzung März.mp3", len(AUDIO))
    options = task.options
    assert (options.language, options.model, options.format, options.diarization) == ("pt-BR", "scripted", "srt", True)
    assert (options.min_speakers, options.max_speakers, options.num_speakers) == (2, 4, None)
    assert (options.channels, options.initial_prompt) == ("split", "Guten Tag,\nHallo")
    assert options.hotwords == ("Zürich", "Genf", "Bern")
    assert await asyncio.wait_for(api.queue.next(), 1) == ("process_task", task_id)
    assert api.spooled() == []


async def test_languages_goal_and_temperature_reach_the_task(client: httpx.AsyncClient, api: Api) -> None:
    fields = {"languages[]": ["de", "pt-BR"], "languages": "fr,it", "task": "translate", "temperature": "0.4"}
    task = await api.task(await submitted(client, **fields))
    assert task is not None
    assert sorted(task.options.languages) == ["de", "fr", "it", "pt-BR"]
    assert (task.options.language, task.options.goal, task.options.temperature) == ("auto", Goal.TRANSLATE, 0.4)


async def test_lists_may_be_repeated_with_brackets(client: httpx.AsyncClient, api: Api) -> None:
    task = await api.task(await submitted(client, **{"hotwords[]": ["a", "b"]}))
    assert task is not None
    assert task.options.hotwords == ("a", "b")


@pytest.mark.parametrize(
    ("fields", "refusal", "named"),
    [
        ({"lnag": "en"}, REFUSED, "lang"),
        ({"language": "en"}, REFUSED, "language"),
        ({"num_speakers": "two"}, REFUSED, "num_speakers"),
        ({"num_speakers": "0"}, REFUSED, "num_speakers"),
        ({"num_speakers": "2", "min_speakers": "1"}, REFUSED, "num_speakers"),
        ({"diarization": "maybe"}, REFUSED, "diarization"),
        ({"channels": "left"}, REFUSED, "channels"),
        ({"format": "docx"}, REFUSED, "srt"),
        ({"lang": ["en", "de"]}, REFUSED, "more than once"),
        ({"initial_prompt": "x" * 2001}, REFUSED, "initial_prompt"),
        ({"task": "summarise"}, REFUSED, "task"),
        ({"temperature": "1.5"}, REFUSED, "temperature"),
        ({"temperature": "nan"}, REFUSED, "temperature"),
        ({"languages": "de,klingon"}, REFUSED, "languages"),
        ({"languages": "de,en", "lang": "fr"}, REFUSED, "languages"),
        ({"model": "nobody"}, (404, "model_not_found"), "nobody"),
        ({"model": "large"}, (503, "model_unavailable"), "weights"),
        ({"file": "text"}, REFUSED, "one recording"),
        *(({name: "x"}, REFUSED, name) for name in ("task_id", "status", "owner", "tenant_id", "role", "priority")),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(
    client: httpx.AsyncClient, api: Api, fields: dict[str, Any], refusal: tuple[int, str], named: str
) -> None:
    assert named in problem(await submit(client, **fields), *refusal)["detail"]
    assert (await client.get("/api/v1/tasks")).json()["tasks"] == []
    assert api.spooled() == []
    assert [key async for key in api.blobs.list("")] == []


async def test_all_wrong_fields_are_named_at_once(client: httpx.AsyncClient) -> None:
    body = problem(await submit(client, num_speakers="x", chanels="mix"), 422, "invalid_options")
    assert [error["pointer"] for error in body["errors"]] == ["#/num_speakers", "#/chanels"]
    assert "did you mean 'channels'" in body["errors"][1]["detail"]


async def test_a_form_without_a_recording_or_with_an_empty_one(client: httpx.AsyncClient) -> None:
    missing = await client.post("/transcribe", files={"lang": (None, "en")})
    assert problem(missing, 422, "invalid_options")["errors"][0]["pointer"] == "#/file"
    empty = await client.post("/transcribe", files={"file": ("a.wav", b"")})
    problem(empty, 422, "empty_file")


async def test_bodies_that_are_no_form(client: httpx.AsyncClient) -> None:
    assert (
        "multipart" in problem(await client.post("/transcribe", json={"file": "x"}), 422, "invalid_options")["detail"]
    )
    problem(await client.post("/transcribe"), 415, "unsupported_media")
    broken = await client.post(
        "/transcribe", content=b"--b\r\nnonsense", headers={"content-type": "multipart/form-data; boundary=b"}
    )
    problem(broken, 400, "malformed_request")


async def test_a_result_that_is_not_there_says_why(client: httpx.AsyncClient, api: Api) -> None:
    task_id = await submitted(client)
    waiting = await client.get(f"/result/{task_id}")
    assert "error" not in problem(waiting, 409, "not_ready")
    assert waiting.headers["retry-after"] == "1"

    await api.fail(task_id, TaskError("too_long", "the recording lasts 9 hours; at most 8 are taken"))
    status = (await client.get(f"/status/{task_id}")).json()
    assert status["status"] == "error"
    assert status["error"] == {
        "type": "/problems/audio-too-long",
        "title": "The recording is too long",
        "status": 422,
        "detail": "the recording lasts 9 hours; at most 8 are taken",
        "code": "too_long",
    }
    assert problem(await client.get(f"/result/{task_id}"), 409, "not_ready")["error"] == status["error"]


async def test_the_result_in_every_format(client: httpx.AsyncClient, api: Api) -> None:
    task_id = await submitted(client, format="vtt")
    await api.finish(task_id, a_transcript(task_id))
    default = await client.get(f"/result/{task_id}")
    assert default.headers["content-type"] == "text/vtt; charset=utf-8"
    assert default.text.startswith("WEBVTT")
    assert default.headers["content-disposition"] == (
        "attachment; filename=\"Sitzung M_rz.vtt\"; filename*=UTF-8''Sitzung%20M%C3%A4rz.vtt"
    )
    srt = await client.get(f"/result/{task_id}", params={"format": "srt"})
    assert "00:00:00,000 --> " in srt.text
    assert srt.headers["content-type"].startswith("application/x-subrip")
    assert "word0x0" in (await client.get(f"/result/{task_id}?format=text")).text
    assert "content-disposition" not in (await client.get(f"/result/{task_id}?format=json")).headers
    assert "srt" in problem(await client.get(f"/result/{task_id}?format=pdf"), 422, "invalid_options")["detail"]


async def test_the_history_is_walked_by_cursor(client: httpx.AsyncClient) -> None:
    ids = [str(await submitted(client)) for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    for _ in range(3):
        page = (await client.get("/api/v1/tasks", params={"limit": 2, "cursor": cursor})).json()
        seen += [task["task_id"] for task in page["tasks"]]
        cursor = page["next_cursor"]
        ids.append(str(await submitted(client)))  # what is added meanwhile does not shift the pages
    assert cursor is None
    assert seen == ids[4::-1]
    problem(await client.get("/api/v1/tasks?cursor=nonsense"), 422, "invalid_options")
    body = problem(await client.get("/api/v1/tasks?limit=101"), 422, "invalid_options")
    assert body["errors"][0]["pointer"] == "#/limit"


async def test_cancelling(client: httpx.AsyncClient, api: Api) -> None:
    queued, running, done = [await submitted(client) for _ in range(3)]
    await api.claim(running)
    await api.finish(done, a_transcript(done))
    for _ in range(2):  # repeating it gives the same answer
        assert (await client.post(f"/api/v1/tasks/{queued}/cancel")).json()["status"] == "cancelled"
        assert (await client.post(f"/api/v1/tasks/{running}/cancel")).json()["status"] == "processing"
    assert (await api.task(running)).cancel_requested  # type: ignore[union-attr]
    problem(await client.post(f"/api/v1/tasks/{done}/cancel"), 409, "wrong_state")


async def test_deleting(client: httpx.AsyncClient, api: Api) -> None:
    task_id = await submitted(client)
    await api.finish(task_id, a_transcript(task_id))
    assert (await client.delete(f"/api/v1/tasks/{task_id}")).status_code == 204
    for path in (f"/status/{task_id}", f"/result/{task_id}", f"/api/v1/tasks/{task_id}"):
        problem(await client.get(path), 404, "not_found")
    assert [key async for key in api.blobs.list("")] == []
    problem(await client.delete(f"/api/v1/tasks/{task_id}"), 404, "not_found")


async def test_an_unknown_task_and_no_task_at_all(client: httpx.AsyncClient) -> None:
    problem(await client.get(f"/status/{uuid4()}"), 404, "not_found")
    problem(await client.get("/status/nonsense"), 404, "not_found")
    problem(await client.get("/nowhere"), 404, "not_found")
    answer = await client.put("/api/v1/tasks")
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


async def test_every_refused_key_gets_the_same_answer(api: Api) -> None:
    key, secret = await api.keys.issue("revoked")
    await api.keys.revoke(key.id)
    wrong = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    bodies = set()
    for header in (None, "", "Bearer", "Bearer x", f"Bearer {wrong}", f"Bearer {secret}", f"Basic {secret}", secret):
        headers = {"x-request-id": "the-same-id"} | ({} if header is None else {"authorization": header})
        async with api.client(headers) as stranger:
            answer = await stranger.get("/api/v1/tasks")
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
        bodies.add(answer.content)
    assert len(bodies) == 1


async def test_health(client: httpx.AsyncClient, api: Api) -> None:
    del client.headers["authorization"]
    assert (await client.get("/health")).json()["status"] == "healthy"
    ready = {"status": "ready", "parts": {"database": "ok", "storage": "ok"}, "warnings": {}}
    assert (await client.get("/health/ready")).json() == ready
    api.health = lambda: {"database": "ok", "storage": "no room"}
    down = await client.get("/health/ready")
    assert (down.status_code, down.json()["parts"]["storage"]) == (503, "no room")
    assert (await client.get("/health/live")).status_code == 200


async def test_a_sane_request_id_is_kept_and_logged(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        kept = await client.get("/api/v1/tasks", headers={"x-request-id": "from-the-caller.1"})
        made = await client.get("/api/v1/tasks", headers={"x-request-id": "bad id; drop"})
    assert kept.headers["x-request-id"] == "from-the-caller.1"
    assert len(made.headers["x-request-id"]) == 32
    assert [line["request_id"] for line in lines] == ["from-the-caller.1", made.headers["x-request-id"]]
    assert (lines[0]["event"], lines[0]["route"], lines[0]["status"]) == ("request", "/api/v1/tasks", 200)
