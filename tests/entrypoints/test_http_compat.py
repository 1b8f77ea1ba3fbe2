"""The dialects of other programs where nobody works on tasks: every state, every refusal, in each one's words."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from domain.task import TaskError, TaskId
from tests.entrypoints.http_service import Api, a_transcript

FAILED = TaskError("engine_failed", "it broke")


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


async def submit(client: httpx.AsyncClient, path: str, part: str = "file", **fields: str) -> httpx.Response:
    return await client.post(path, files={part: ("a.wav", b"audio")}, data=fields)


async def states(api: Api, client: httpx.AsyncClient, submitted: httpx.Response, path: str) -> list[httpx.Response]:
    """Four jobs in one request's place: waiting, at work, done, and failed."""
    answers = [await client.get(f"{path}/{submitted.json()['job_id']}")]
    task_id = TaskId(UUID(submitted.json()["job_id"]))
    await api.claim(task_id)
    answers.append(await client.get(f"{path}/{task_id}"))
    return answers


@pytest.mark.parametrize("home", ["", "/compat/jobs"])
async def test_a_job_in_every_state(api: Api, client: httpx.AsyncClient, home: str) -> None:
    submitted = await submit(client, f"{home}/jobs", num_speakers="2")
    assert submitted.status_code == 200
    assert submitted.headers["location"] == f"/compat/jobs/jobs/{submitted.json()['job_id']}"
    waiting, working = [answer.json() for answer in await states(api, client, submitted, f"{home}/jobs")]
    assert (waiting["status"], waiting["progress"], waiting["result"]) == ("queued", 0.0, None)
    assert waiting["stage_detail"] == "waiting for its turn"
    assert (working["status"], working["stage_detail"]) == ("processing", "decoding, 0% done")
    assert working["created_at"] == waiting["created_at"] != ""
    assert "+" not in working["updated_at"]
    for end in ("done", "failed", "cancelled"):
        job = (await submit(client, f"{home}/jobs")).json()["job_id"]
        task_id = TaskId(UUID(job))
        if end == "done":
            await api.finish(task_id, a_transcript(task_id))
        elif end == "failed":
            await api.fail(task_id, FAILED)
        else:
            await client.post(f"/api/v1/tasks/{job}/cancel")
        shown = (await client.get(f"{home}/jobs/{job}")).json()
        assert shown["status"] == {"done": "completed"}.get(end, end)
        assert (shown["result"] is not None) == (end == "done")
        assert shown["error"] == ("it broke" if end == "failed" else None)
        if end == "done":
            assert (shown["progress"], shown["stage_detail"]) == (100.0, "completed")
            assert shown["result"]["segments"][0]["speaker"] == "SPEAKER_00"
        deleted = await client.delete(f"{home}/jobs/{job}")
        assert (deleted.status_code, deleted.json()["job_id"]) == (200, job)
        assert (await client.get(f"{home}/jobs/{job}")).status_code == 404
    assert api.spooled() == []


async def test_a_diarization_in_every_state(api: Api, client: httpx.AsyncClient) -> None:
    submitted = await submit(client, "/diarize", "audio_file", max_speakers="3")
    assert submitted.json()["status"] == "queued"
    waiting, working = [answer.json() for answer in await states(api, client, submitted, "/compat/diarizer/status")]
    assert (waiting["status"], waiting["progress"], waiting["result"]) == ("queued", 0.0, None)
    assert working["status"] == "processing"
    assert 0 <= working["progress"] < 1
    done, failed = [
        TaskId(UUID((await submit(client, "/compat/diarizer/diarize", "audio_file")).json()["job_id"])) for _ in "ab"
    ]
    await api.finish(done, a_transcript(done))
    await api.fail(failed, FAILED)
    shown = (await client.get(f"/compat/diarizer/status/{done}")).json()
    assert (shown["status"], shown["progress"], shown["error"]) == ("completed", 1.0, None)
    assert shown["result"]["transcript"].startswith("Speaker_01 [0.00s - 2.00s]: word0x0")
    assert set(shown["result"]["speakers"]) == {"Speaker_01", "Speaker_02"}
    shown = (await client.get(f"/compat/diarizer/status/{failed}")).json()
    assert (shown["status"], shown["result"], shown["error"]) == ("failed", None, "it broke")


async def test_a_platform_job_in_every_state(api: Api, client: httpx.AsyncClient) -> None:
    for home in ("/api/v1", "/compat/platform/api/v1"):
        created = (await submit(client, f"{home}/speaker/diarize", num_speakers="3")).json()
        assert (created["status"], created["num_speakers"]) == ("pending", 3)
        task_id = TaskId(UUID(created["id"]))
        shown = (await client.get(f"{home}/speaker/jobs/{task_id}")).json()
        assert (shown["status"], shown["task_status"]["state"], shown["result"]) == ("pending", "PENDING", None)
        await api.finish(task_id, a_transcript(task_id))
        shown = (await client.get(f"{home}/speaker/jobs/{task_id}")).json()
        assert shown["task_status"] == {"state": "SUCCESS", "progress": 100, "error": None}
        assert shown["completed_at"]
        failed = TaskId(UUID((await submit(client, f"{home}/speaker/diarize")).json()["id"]))
        await api.fail(failed, FAILED)
        shown = (await client.get(f"{home}/speaker/jobs/{failed}")).json()
        assert (shown["status"], shown["task_status"]["state"]) == ("failed", "FAILURE")
        assert shown["task_status"]["error"] == "it broke"


async def test_the_platform_says_what_is_wrong_in_its_own_body(client: httpx.AsyncClient) -> None:
    for home in ("/api/v1", "/compat/platform/api/v1"):
        wrong = await submit(client, f"{home}/speaker/diarize", num_speakers="99")
        assert wrong.status_code == 422
        assert wrong.json()["error_code"] == "INVALID_INPUT"
        assert wrong.json()["details"]["field"] == "num_speakers"
        unknown = await client.get(f"{home}/speaker/jobs/0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e")
        assert (unknown.status_code, unknown.json()["error_code"]) == (404, "NOT_FOUND")
        assert unknown.json()["details"] == {}
        stranger = await client.get(f"{home}/speaker/jobs/x", headers={"authorization": "Bearer no"})
        assert stranger.status_code in {401, 404}
        refused = await client.post(f"{home}/speaker/diarize", headers={"authorization": "Bearer no"})
        assert (refused.status_code, refused.json()["error_code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/jobs", "file"), ("/compat/jobs/transcribe", "file"), ("/diarize", "audio_file"), ("/api/audio", "file"),
        ("/api/v1/speaker/diarize", "file"), ("/asr", "audio_file"), ("/detect-language", "audio_file"),
    ],
)  # fmt: skip
async def test_unknown_fields_are_refused_by_their_names(
    api: Api, client: httpx.AsyncClient, path: str, part: str
) -> None:
    answer = await submit(client, path, part, batch_size="16")
    assert answer.status_code == 422
    assert "batch_size: there is no such field here" in answer.text
    missing = await submit(client, path, "recording")
    assert missing.status_code == 422
    twice = await client.post(path, files=[(part, ("a.wav", b"a")), (part, ("b.wav", b"b"))])
    assert twice.status_code == 422
    assert api.spooled() == []
    assert (await client.get("/api/v1/tasks")).json()["tasks"] == []


async def test_unknown_parameters_are_refused_by_their_names(client: httpx.AsyncClient) -> None:
    for path, part in (("/asr", "audio_file"), ("/detect-language", "audio_file")):
        answer = await client.post(path, params={"best_of": "5"}, files={part: b"audio"})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/best_of")
    clip = (await submit(client, "/api/audio")).json()["clip_id"]
    answer = await client.post("/api/transcribe", params={"clip_id": clip, "model": "x"})
    assert answer.json()["errors"][0]["pointer"] == "#/model"


async def test_a_call_that_takes_too_long_goes_on_as_a_job(tmp_path: Path) -> None:
    api = Api(tmp_path, sync_seconds=0.2)
    async with api.client(await api.issue_key()) as client:
        answer = await submit(client, "/compat/jobs/transcribe")
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/compat/jobs/jobs/{answer.json()['job_id']}"
        assert (await client.get(answer.headers["location"])).json()["status"] == "queued"
        clip = (await submit(client, "/api/audio")).json()["clip_id"]
        answer = await client.post("/api/transcribe", params={"clip_id": clip})
        assert answer.status_code == 202
        assert (await client.get(answer.headers["location"])).json()["status"] == "queued"


async def test_later_services_have_their_paths_free(client: httpx.AsyncClient) -> None:
    for path in ("voice/voices/", "voice/clone/", "translation/translate/", "speaker/extract"):
        assert (await client.post(f"/api/v1/{path}")).status_code == 404


async def test_health_says_whether_there_is_a_gpu(client: httpx.AsyncClient) -> None:
    for home in ("", "/api/v1", "/compat/jobs", "/compat/diarizer", "/compat/platform/api/v1"):
        answer = await client.get(f"{home}/health", headers={"authorization": ""})
        assert answer.json()["gpu_available"] is False
        assert answer.json()["status"] == "healthy"


async def test_who_stops_reading_a_stream_has_the_work_cancelled(api: Api, client: httpx.AsyncClient) -> None:
    clip = (await submit(client, "/api/audio")).json()["clip_id"]
    app, begun = api.app(), asyncio.Event()
    key = client.headers["authorization"].encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/transcribe/stream", "raw_path": b"/transcribe/stream", "query_string": f"clip_id={clip}".encode(),
        "headers": [(b"authorization", key), (b"host", b"test")], "client": ("127.0.0.1", 1), "server": ("test", 80),
        "state": {}, "root_path": "", "extensions": {},
    }  # fmt: skip
    told: list[bytes] = []

    async def receive() -> dict[str, object]:
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            told.append(bytes(message["body"]))  # type: ignore[call-overload]
            begun.set()

    await asyncio.wait_for(app(scope, receive, send), 10)  # type: ignore[arg-type]
    assert told[0].startswith(b'{"type":"started"')
    assert (await client.get("/api/v1/tasks")).json()["tasks"][0]["status"] == "cancelled"
