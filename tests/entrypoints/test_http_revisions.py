"""Retries, revisions, speakers and the search in the history, over real use cases; nobody works on the tasks here."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from application.finished_transcript import lay_out
from domain.task import Task, TaskError, TaskId, TaskKind
from domain.transcript import Transcript
from tests.contracts.transcript_rows import HOSTILE
from tests.entrypoints.http_service import Api, a_transcript
from tests.entrypoints.test_http import problem, submitted


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        yield made


async def done(api: Api, client: httpx.AsyncClient, **fields: Any) -> TaskId:
    task_id = await submitted(client, **fields)
    await api.finish(task_id, a_transcript(task_id))
    return task_id


async def change(api: Api, task_id: TaskId, **changes: Any) -> None:
    async with api.new_uow() as uow:
        task = await uow.tasks.get(task_id)
        assert task is not None
        await uow.tasks.save(replace(task, **changes))
        await uow.commit()


async def revised(api: Api, parent: TaskId, revising: TaskId, transcript: Transcript) -> None:
    """Do what a worker does at the end of a revision."""
    task = await api.claim(revising)
    finished = lay_out(task, transcript)

    async def chunks() -> AsyncIterator[bytes]:
        yield finished.encoded

    await api.blobs.put(finished.key, chunks())
    async with api.new_uow() as uow:
        now = await uow.tasks.now()
        task.complete(token=task.token, now=now, language="en", duration=4000, processing_ms=9)
        await uow.tasks.save(task)
        await finished.record(uow, task, now)
        await uow.commit()
    assert (await stored(api, parent)).revision == task.revision


async def stored(api: Api, task_id: TaskId) -> Task:
    task = await api.task(task_id)
    assert task is not None
    return task


async def test_a_failed_task_is_retried_as_a_new_one_with_its_options(api: Api, client: httpx.AsyncClient) -> None:
    failed = await submitted(client, num_speakers="3", format="srt")
    await api.fail(failed, TaskError("engine_failed", "it fell over"))
    answer = await client.post(f"/api/v1/tasks/{failed}/retry")
    assert answer.status_code == 202
    again = TaskId(UUID(answer.json()["task_id"]))
    assert answer.headers["location"] == f"/api/v1/status/{again}"
    before, after = await stored(api, failed), await stored(api, again)
    assert (after.options, after.media, after.parent) == (before.options, before.media, failed)
    assert before.status == "error"
    state = (await client.get(f"/api/v1/tasks/{again}")).json()
    assert (state["kind"], state["parent"], state["status"]) == ("transcribe", str(failed), "queued")
    assert (await client.post(f"/api/v1/tasks/{again}/cancel")).status_code == 200
    assert (await client.post(f"/api/v1/tasks/{again}/retry", json={})).status_code == 202


async def test_what_cannot_be_retried_says_why(api: Api, client: httpx.AsyncClient) -> None:
    waiting, finished, failed = await submitted(client), await done(api, client), await submitted(client)
    await api.fail(failed, TaskError("engine_failed", "it fell over"))
    for task_id in (waiting, finished):
        problem(await client.post(f"/api/v1/tasks/{task_id}/retry"), 409, "wrong_state")
    await change(api, failed, quarantined=True)
    problem(await client.post(f"/api/v1/tasks/{failed}/retry"), 409, "quarantined")
    problem(await client.post(f"/api/v1/tasks/{failed}/retry", json={"forced": True}), 422, "invalid_options")
    problem(await client.post(f"/api/v1/tasks/{failed}/retry", content=b"{"), 400, "malformed_request")
    assert (await client.post(f"/api/v1/tasks/{failed}/retry", json={"force": True})).status_code == 202
    await change(api, failed, quarantined=False, media_purged_at=(await stored(api, failed)).finished_at)
    problem(await client.post(f"/api/v1/tasks/{failed}/retry"), 409, "recording_purged")


async def test_a_revision_is_queued_under_its_number(api: Api, client: httpx.AsyncClient) -> None:
    parent = await done(api, client)
    answers = [await client.post(f"/api/v1/tasks/{parent}/revisions", json=body) for body in ({}, {"num_speakers": 3})]
    assert [answer.status_code for answer in answers] == [202, 202]
    tasks = [await stored(api, TaskId(UUID(answer.json()["task_id"]))) for answer in answers]
    assert [(task.kind, task.parent, task.revision) for task in tasks] == [
        (TaskKind.REVISE, parent, 2), (TaskKind.REVISE, parent, 3),
    ]  # fmt: skip
    assert tasks[1].options.num_speakers == 3
    assert tasks[1].media == (await stored(api, parent)).media
    problem(await client.post(f"/api/v1/tasks/{tasks[0].id}/revisions", json={}), 409, "wrong_state")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"num_speakers": 2, "min_speakers": 1}, "exact"),
        ({"min_speakers": 3, "max_speakers": 2}, "min_speakers"),
        ({"num_speakers": 0}, "num_speakers"),
        ({"num_speakers": 51}, "num_speakers"),
        ({"num_speakers": "two"}, "num_speakers"),
        ({"speakers": 2}, "speakers"),
        ({"channels": "left"}, "channels"),
    ],
)
async def test_a_revision_that_contradicts_itself_is_refused(
    api: Api, client: httpx.AsyncClient, body: dict[str, Any], named: str
) -> None:
    parent = await done(api, client)
    refused = problem(await client.post(f"/api/v1/tasks/{parent}/revisions", json=body), 422, "invalid_options")
    assert named in str(refused)


async def test_a_task_without_a_transcript_or_recording_is_not_revised(api: Api, client: httpx.AsyncClient) -> None:
    waiting, purged = await submitted(client), await done(api, client)
    problem(await client.post(f"/api/v1/tasks/{waiting}/revisions", json={}), 409, "wrong_state")
    await change(api, purged, media_purged_at=(await stored(api, purged)).finished_at)
    problem(await client.post(f"/api/v1/tasks/{purged}/revisions", json={}), 409, "recording_purged")


async def test_revisions_are_listed_and_each_is_readable_in_every_format(api: Api, client: httpx.AsyncClient) -> None:
    parent = await done(api, client)
    answer = await client.post(f"/api/v1/tasks/{parent}/revisions", json={"num_speakers": 1})
    revising = TaskId(UUID(answer.json()["task_id"]))
    first = a_transcript(parent)
    second = replace(first.renamed({"spk_2": "spk_1"}), revision=2)
    (only,) = (await client.get(f"/api/v1/tasks/{parent}/revisions")).json()["revisions"]
    assert (only["revision"], only["task_id"]) == (1, str(parent))
    problem(await client.get(f"/api/v1/result/{parent}?revision=2"), 404, "not_found")
    await revised(api, parent, revising, second)
    listed = (await client.get(f"/api/v1/tasks/{parent}/revisions")).json()["revisions"]
    assert [(each["revision"], each["task_id"]) for each in listed] == [(1, str(parent)), (2, str(revising))]
    assert listed[1]["options"]["num_speakers"] == 1
    for view in ("json", "text", "srt", "vtt", "tsv", "rttm"):
        path = f"/api/v1/result/{parent}?format={view}"
        one, two = [(await client.get(f"{path}&revision={number}")).content for number in (1, 2)]
        assert (await client.get(path)).content == two
        assert (one == two) is (view == "rttm"), "there are no turns in these"
        assert (await client.get(f"/api/v1/result/{revising}?format={view}")).content == two
    problem(await client.get(f"/api/v1/result/{parent}?revision=3"), 404, "not_found")
    problem(await client.get(f"/api/v1/result/{parent}?revision=9999999999"), 422, "invalid_options")
    problem(await client.get(f"/api/v1/result/{parent}?revision=0"), 422, "invalid_options")


async def speakers(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert answer.headers["etag"] == f'"{body["version"]}"'
    return {each["label"]: each for each in body["speakers"]}


async def test_speakers_are_named_merged_and_corrected_and_all_is_taken_back(
    api: Api, client: httpx.AsyncClient
) -> None:
    task_id = await done(api, client)
    base = f"/api/v1/tasks/{task_id}"
    raw = (await client.get(f"/api/v1/result/{task_id}")).json()
    assert {label: each["words"] for label, each in (await speakers(await client.get(f"{base}/speakers"))).items()} == {
        "spk_1": 4, "spk_2": 4,
    }  # fmt: skip
    named = await speakers(await client.patch(f"{base}/speakers/spk_1", json={"name": " Ann\nLee "}))
    assert named["spk_1"]["name"] == "Ann Lee"
    reassigned = await client.post(f"{base}/words/reassign", json={"start": 2.0, "end": 3.0, "speaker": "guest"})
    assert {label: each["words"] for label, each in (await speakers(reassigned)).items()} == {
        "spk_1": 4, "guest": 2, "spk_2": 2,
    }  # fmt: skip
    text = (await client.get(f"/api/v1/result/{task_id}?format=text")).text
    assert "Ann Lee: word0x0" in text
    assert "guest: word1x0 word1x1" in text
    merged = await client.post(f"{base}/speakers/merge", json={"speaker": "guest", "into": "spk_1"})
    assert {label: each["words"] for label, each in (await speakers(merged)).items()} == {"spk_1": 6, "spk_2": 2}
    assert "<v Ann Lee>" in (await client.get(f"/api/v1/result/{task_id}?format=vtt")).text
    assert (await client.get(f"/api/v1/result/{task_id}?edits=false")).json() == raw
    listed = (await client.get(f"{base}/edits")).json()
    assert [each["kind"] for each in listed["edits"]] == ["rename", "reassign", "merge"]
    for seq in (2, 1, 3, 3):
        undone = await client.delete(f"{base}/edits/{seq}")
        assert undone.status_code == 200
    assert all(each["undone_at"] for each in undone.json()["edits"])
    assert undone.json()["version"] == 6
    assert (await client.get(f"/api/v1/result/{task_id}")).json() == raw
    problem(await client.delete(f"{base}/edits/9"), 404, "not_found")


@pytest.mark.parametrize(
    ("call", "body", "refused"),
    [
        ("patch speakers/spk_9", {"name": "Ann"}, (404, "speaker_not_found")),
        ("patch speakers/spk_1", {"name": ""}, (422, "invalid_options")),
        ("patch speakers/spk_1", {"name": "\u202e \u0007"}, (422, "invalid_options")),
        ("patch speakers/spk_1", {"name": "x" * 101}, (422, "invalid_options")),
        ("patch speakers/spk_1", {}, (422, "invalid_options")),
        ("patch speakers/spk_1", {"nickname": "Ann"}, (422, "invalid_options")),
        ("post speakers/merge", {"speaker": "spk_1", "into": "spk_1"}, (422, "invalid_options")),
        ("post speakers/merge", {"speaker": "spk_1", "into": "spk_7"}, (404, "speaker_not_found")),
        ("post speakers/merge", {"speaker": "spk_1"}, (422, "invalid_options")),
        ("post words/reassign", {"start": 1, "end": 1, "speaker": "spk_2"}, (422, "invalid_options")),
        ("post words/reassign", {"start": -1, "end": 1, "speaker": "spk_2"}, (422, "invalid_options")),
        ("post words/reassign", {"start": 90, "end": 99, "speaker": "spk_2"}, (422, "invalid_options")),
        ("post words/reassign", {"start": 0, "end": 1, "speaker": "spk_7"}, (404, "speaker_not_found")),
        ("post words/reassign", {"start": 0, "end": 1, "speaker": "Bob!"}, (404, "speaker_not_found")),
        ("post words/reassign", {"start": 0, "end": 1e300, "speaker": "spk_1"}, (422, "invalid_options")),
    ],
)
async def test_edits_that_make_no_sense_are_refused(
    api: Api, client: httpx.AsyncClient, call: str, body: dict[str, Any], refused: tuple[int, str]
) -> None:
    task_id, (method, path) = await done(api, client), call.split()
    problem(await client.request(method, f"/api/v1/tasks/{task_id}/{path}", json=body), *refused)
    assert (await client.get(f"/api/v1/tasks/{task_id}/edits")).json()["version"] == 0


async def test_a_lost_update_is_told(api: Api, client: httpx.AsyncClient) -> None:
    task_id = await done(api, client)
    path = f"/api/v1/tasks/{task_id}/speakers/spk_1"
    etag = (await client.get(f"/api/v1/tasks/{task_id}/speakers")).headers["etag"]
    first = await client.patch(path, json={"name": "Ann"}, headers={"if-match": etag})
    problem(await client.patch(path, json={"name": "Bob"}, headers={"if-match": etag}), 412, "edit_conflict")
    problem(await client.patch(path, json={"name": "Bob"}, headers={"if-match": "W/x"}), 412, "edit_conflict")
    problem(await client.delete(f"/api/v1/tasks/{task_id}/edits/1", headers={"if-match": etag}), 412, "edit_conflict")
    for condition in ({"if-match": first.headers["etag"]}, {"if-match": "*"}, {}):
        assert (await client.patch(path, json={"name": "Bob"}, headers=condition)).status_code == 200


async def test_a_task_without_a_transcript_has_no_speakers(api: Api, client: httpx.AsyncClient) -> None:
    waiting, parent = await submitted(client), await done(api, client)
    revising = (await client.post(f"/api/v1/tasks/{parent}/revisions", json={})).json()["task_id"]
    for path in ("speakers", "edits"):
        problem(await client.get(f"/api/v1/tasks/{waiting}/{path}"), 409, "not_ready")
        problem(await client.get(f"/api/v1/tasks/{revising}/{path}"), 409, "wrong_state")


async def test_edits_follow_their_speakers_to_another_revision(api: Api, client: httpx.AsyncClient) -> None:
    task_id = await done(api, client)
    base = f"/api/v1/tasks/{task_id}"
    for label, name in (("spk_1", "Ann"), ("spk_2", "Bob")):
        await client.patch(f"{base}/speakers/{label}", json={"name": name})
    revising = TaskId(UUID((await client.post(f"{base}/revisions", json={})).json()["task_id"]))
    swapped = {"spk_1": "spk_2", "spk_2": "spk_1"}
    await revised(api, task_id, revising, replace(a_transcript(task_id).renamed(swapped), revision=2))
    for number in (1, 2):
        text = (await client.get(f"/api/v1/result/{task_id}?format=text&revision={number}")).text
        assert "Ann: word0x0" in text
    third = TaskId(UUID((await client.post(f"{base}/revisions", json={})).json()["task_id"]))
    await revised(api, task_id, third, replace(a_transcript(task_id).renamed({"spk_2": "spk_1"}), revision=3))
    result = (await client.get(f"/api/v1/result/{task_id}")).json()
    assert {segment["speaker"] for segment in result["segments"]} == {"Ann"}
    assert [warning["code"] for warning in result["warnings"]] == ["edits_not_applied"]
    lost = [each["seq"] for each in (await client.get(f"{base}/edits")).json()["edits"] if each["not_applied"]]
    assert lost == [2]


async def test_the_history_is_searched_by_what_was_said(api: Api, client: httpx.AsyncClient) -> None:
    tasks = []
    for number in range(5):
        task_id = await submitted(client)
        transcript = a_transcript(task_id)
        said = replace(transcript.segments[0], text=f"The Größe of budget {number % 2} was discussed at length.")
        async with api.new_uow() as uow:
            task = await uow.tasks.get(task_id)
            assert task is not None
            await uow.texts.put(task_id, lay_out(task, replace(transcript, segments=(said,))).texts)
            await uow.commit()
        tasks.append(str(task_id))
    page = (await client.get("/api/v1/tasks", params={"q": "BUDGET grösse 0", "limit": 2})).json()
    assert [task["task_id"] for task in page["tasks"]] == [tasks[4], tasks[2]]
    assert "budget 0" in page["tasks"][0]["snippet"]
    rest = (await client.get("/api/v1/tasks", params={"q": "budget grösse 0", "cursor": page["next_cursor"]})).json()
    assert [task["task_id"] for task in rest["tasks"]] == [tasks[0]]
    assert rest["next_cursor"] is None
    stranger = await api.issue_key("stranger")
    assert (await client.get("/api/v1/tasks?q=budget", headers=stranger)).json()["tasks"] == []
    for query in ("", "  ", "!?", '"'):
        problem(await client.get("/api/v1/tasks", params={"q": query}), 422, "invalid_options")
    for query in (each for each in HOSTILE if each != "\ud800"):
        assert (await client.get("/api/v1/tasks", params={"q": query})).status_code in {200, 422}, query
