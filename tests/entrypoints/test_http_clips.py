"""Clips over HTTP: kept, listed, fetched, transcribed any number of times, and deleted without harm to their tasks."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from adapters.storage.no_direct_access import NoDirectAccess
from application.erase import Erase, FinishErasures
from application.reconcile import Reconcile, Reconciliation
from application.retain import EnforceRetention
from domain.clip import ClipId
from domain.task import TaskId
from tests.contracts.blob_store import keys_of
from tests.entrypoints.http_service import Api, a_transcript

AUDIO = b"RIFF and so on"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


async def kept(client: httpx.AsyncClient, name: str = "a.mp3") -> dict[str, Any]:
    answer = await client.post("/api/v1/audio", files={"file": (name, AUDIO)})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/audio/{answer.json()['clip_id']}"
    clip: dict[str, Any] = answer.json()
    return clip


async def test_a_clip_is_kept_and_told_about(client: httpx.AsyncClient) -> None:
    clip = await kept(client)
    assert (clip["filename"], clip["media_type"]) == ("a.mp3", "audio/mpeg")
    assert (clip["size"], clip["sha256"]) == (len(AUDIO), hashlib.sha256(AUDIO).hexdigest())
    assert (clip["duration_seconds"], clip["tasks"], clip["expires_at"]) == (None, 0, None)
    assert (await client.get(f"/api/v1/audio/{clip['clip_id']}")).json() == clip
    media = await client.get(f"/api/v1/audio/{clip['clip_id']}/media", headers={"range": "bytes=0-3"})
    assert (media.status_code, media.content, media.headers["content-type"]) == (206, b"RIFF", "audio/mpeg")


async def test_a_store_that_clients_reach_gives_the_recording(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = await kept(client)
    task = (await client.post("/api/v1/transcribe", json={"clip_id": clip["clip_id"]})).json()["task_id"]
    monkeypatch.setattr(NoDirectAccess, "download_url", lambda _, key, **__: f"https://store/{key}")
    for path in (f"/api/v1/audio/{clip['clip_id']}/media", f"/api/v1/tasks/{task}/media"):
        answer = await client.get(path, params={"redirect": True})
        assert (answer.status_code, answer.headers["location"]) == (307, f"https://store/media/{clip['clip_id']}")


async def test_clips_come_in_pages_newest_first(client: httpx.AsyncClient) -> None:
    ids = [(await kept(client, f"{number}.wav"))["clip_id"] for number in range(3)]
    first = (await client.get("/api/v1/audio?limit=2")).json()
    assert [clip["clip_id"] for clip in first["clips"]] == [ids[2], ids[1]]
    rest = (await client.get("/api/v1/audio", params={"cursor": first["next_cursor"]})).json()
    assert [clip["clip_id"] for clip in rest["clips"]] == [ids[0]]
    assert rest["next_cursor"] is None


async def test_an_upload_becomes_a_clip(api: Api, client: httpx.AsyncClient) -> None:
    offer = (await client.post("/api/v1/uploads", json={"filename": "b.flac", "size": len(AUDIO)})).json()
    form = {"upload_id": (None, offer["upload_id"])}
    assert (await client.post("/api/v1/audio", files=form)).json()["code"] == "upload_incomplete"
    await client.put(offer["url"], content=AUDIO)
    clip = (await client.post("/api/v1/audio", files=form)).json()
    assert (clip["filename"], clip["size"]) == ("b.flac", len(AUDIO))
    assert clip["sha256"] == hashlib.sha256(AUDIO).hexdigest()
    assert (await client.post("/api/v1/audio", files=form)).json()["code"] == "not_found"
    assert await keys_of(api.blobs) == [f"media/{clip['clip_id']}"]


async def ways(client: httpx.AsyncClient, clip_id: str) -> list[httpx.Response]:
    return [
        await client.post("/api/v1/transcribe", files={"clip_id": (None, clip_id), "lang": (None, "en")}),
        await client.post("/api/v1/transcribe", json={"clip_id": clip_id, "lang": "en", "diarization": False}),
        await client.post("/api/v1/transcribe", params={"clip_id": clip_id}),
        await client.post("/transcribe", params={"clip_id": clip_id}, json={"hotwords": ["a", "b"], "model": None}),
        await client.post("/transcribe", params={"clip_id": clip_id}, files={"num_speakers": (None, "2")}),
    ]


async def test_a_clip_is_transcribed_as_often_as_one_likes(api: Api, client: httpx.AsyncClient) -> None:
    clip = await kept(client)
    answers = await ways(client, clip["clip_id"])
    assert [answer.status_code for answer in answers] == [202] * 5, [answer.text for answer in answers]
    tasks = [await api.task(TaskId(UUID(answer.json()["task_id"]))) for answer in answers]
    options = [task.options for task in tasks if task]
    assert options[1].language == "en"
    assert not options[1].diarization
    assert options[3].hotwords == ("a", "b")
    assert options[4].num_speakers == 2
    assert {task.media.key for task in tasks if task} == {f"media/{clip['clip_id']}"}
    assert await keys_of(api.blobs) == [f"media/{clip['clip_id']}"], "one copy for all"
    await api.finish(TaskId(UUID(answers[0].json()["task_id"])), a_transcript(TaskId(UUID(int=1)), segments=1, words=2))
    shown = (await client.get(f"/api/v1/audio/{clip['clip_id']}")).json()
    assert (shown["tasks"], shown["duration_seconds"]) == (5, 1.0)
    assert shown["filename"] == (await client.get(answers[0].headers["location"])).json()["filename"]


async def test_a_clip_that_is_nobodys_is_no_recording(api: Api, client: httpx.AsyncClient) -> None:
    clip = await kept(client)
    stranger = await api.issue_key("stranger")
    for headers, clip_id in ((stranger, clip["clip_id"]), ({}, str(UUID(int=5)))):
        for answer in [
            await client.get(f"/api/v1/audio/{clip_id}", headers=headers),
            await client.get(f"/api/v1/audio/{clip_id}/media", headers=headers),
            await client.delete(f"/api/v1/audio/{clip_id}", headers=headers),
            await client.post("/api/v1/transcribe", params={"clip_id": clip_id}, headers=headers),
        ]:
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await client.get("/api/v1/audio", headers=stranger)).json() == {"clips": [], "next_cursor": None}
    assert (await client.post("/transcribe", json={"clip_id": "x"})).json()["errors"][0]["pointer"] == "#/clip_id"
    both = await client.post("/transcribe", params={"clip_id": clip["clip_id"]}, files={"file": ("a", AUDIO)})
    assert both.status_code == 422
    assert (await client.post("/api/v1/audio", json={"clip_id": clip["clip_id"]})).status_code == 422
    assert (await client.post("/api/v1/audio", json={"lang": "en"})).status_code == 422
    assert api.spooled() == []


@pytest.mark.parametrize("body", [b"[]", b'{"a": {}}', b'{"a":', b"[" * 9_000, b'{"a":"' + b"x" * 70_000 + b'"}', b""])
async def test_json_that_is_no_fields_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/transcribe", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 413, 422}, answer.text


async def test_a_deleted_clip_leaves_its_tasks_whole(api: Api, client: httpx.AsyncClient) -> None:
    clip = await kept(client)
    task_id = (await client.post("/api/v1/transcribe", json={"clip_id": clip["clip_id"]})).json()["task_id"]
    answer = await client.delete(f"/api/v1/audio/{clip['clip_id']}")
    assert answer.status_code == 204
    receipt = (await client.get(answer.headers["location"])).json()
    assert (receipt["kind"], receipt["task_id"], receipt["reason"]) == ("clip", clip["clip_id"], "caller")
    assert receipt["removed"] == {"recordings": 0, "transcripts": 0, "bytes": 0, "recording_shared": True}
    assert (await client.get(f"/api/v1/audio/{clip['clip_id']}")).status_code == 404
    assert (await client.get(f"/api/v1/tasks/{task_id}/media")).content == AUDIO
    await client.delete(f"/api/v1/tasks/{task_id}")
    assert await keys_of(api.blobs) == [], "the last one that held it"


async def test_a_deleted_task_leaves_its_clip_whole(api: Api, client: httpx.AsyncClient) -> None:
    clip = await kept(client)
    task_id = (await client.post("/api/v1/transcribe", json={"clip_id": clip["clip_id"]})).json()["task_id"]
    await client.delete(f"/api/v1/tasks/{task_id}")
    assert (await client.get(f"/api/v1/audio/{clip['clip_id']}/media")).content == AUDIO
    receipt = (await client.get((await client.delete(f"/api/v1/audio/{clip['clip_id']}")).headers["location"])).json()
    assert receipt["removed"]["bytes"] == len(AUDIO)
    assert await keys_of(api.blobs) == []


async def test_a_clip_goes_when_its_time_has_come(api: Api, client: httpx.AsyncClient) -> None:
    api.dependencies.store_clip._kept = timedelta()
    gone = await kept(client)
    api.dependencies.store_clip._kept = timedelta(hours=1)
    stays = await kept(client)
    assert (await client.get(f"/api/v1/audio/{gone['clip_id']}")).status_code == 404
    assert (await client.post("/transcribe", params={"clip_id": gone["clip_id"]})).status_code == 404
    await EnforceRetention(new_uow=api.new_uow, blobs=api.blobs)()
    assert await keys_of(api.blobs) == [f"media/{stays['clip_id']}"]
    receipt = (await client.get(f"/api/v1/deletions/{gone['clip_id']}")).json()
    assert (receipt["reason"], receipt["kind"]) == ("retention", "clip")


async def test_clips_are_no_orphans_and_their_lost_bytes_are_missed(api: Api, client: httpx.AsyncClient) -> None:
    clip = await kept(client)
    reconcile = Reconcile(new_uow=api.new_uow, blobs=api.blobs, grace=timedelta(days=-1))
    assert await reconcile(remove=True) == Reconciliation()
    await api.blobs.delete(f"media/{clip['clip_id']}")
    assert await reconcile(remove=True) == Reconciliation(missing=1)


async def test_a_break_after_the_row_is_gone_is_made_good(
    api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = await kept(client)

    async def fail(_: str) -> None:
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(api.blobs, "delete", fail)
        assert (await client.delete(f"/api/v1/audio/{clip['clip_id']}")).status_code == 204
    assert await keys_of(api.blobs) == [f"media/{clip['clip_id']}"]

    async def wipe() -> bool:
        return True

    await FinishErasures(new_uow=api.new_uow, erase=Erase(new_uow=api.new_uow, blobs=api.blobs), wipe=wipe)()
    assert await keys_of(api.blobs) == []
    assert (await client.get(f"/api/v1/deletions/{clip['clip_id']}")).json()["completed_at"]


async def test_two_who_delete_it_at_once_are_told_apart(api: Api, client: httpx.AsyncClient) -> None:
    clip = await kept(client)
    await client.delete(f"/api/v1/audio/{clip['clip_id']}")
    await api.dependencies.delete_clip.expire(ClipId(UUID(clip["clip_id"])))
    assert (await client.get(f"/api/v1/deletions/{clip['clip_id']}")).json()["reason"] == "caller"
