"""Polls that cost little, waiting that ends in time, and results that are sent as they were made."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from application.encoded_result import KEPT_FROM
from domain.task import TaskError, TaskId
from entrypoints.http.prefer import Preference, preference
from tests.entrypoints.http_service import Api, a_transcript, served


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path, sync_seconds=5)


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as made:
        made.headers["accept-encoding"] = "identity"
        yield made


async def submitted(client: httpx.AsyncClient) -> TaskId:
    answer = await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")})
    return TaskId(UUID(answer.json()["task_id"]))


async def made(api: Api, client: httpx.AsyncClient, *, segments: int = 2) -> TaskId:
    task_id = await submitted(client)
    await api.finish(task_id, a_transcript(task_id, segments=segments, words=10))
    return task_id


async def blobs(api: Api) -> list[str]:
    return [key.partition("/")[2] async for key in api.blobs.list("transcripts/")]


@pytest.mark.parametrize("path", ["status", "tasks"])
async def test_a_poll_tells_what_changed(api: Api, client: httpx.AsyncClient, path: str) -> None:
    task_id = await submitted(client)
    first = await client.get(f"/api/v1/{path}/{task_id}")
    known = {"If-None-Match": first.headers["etag"]}
    same = await client.get(f"/api/v1/{path}/{task_id}", headers=known)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert first.headers["cache-control"] == same.headers["cache-control"] == "private, no-cache"
    assert int(same.headers["retry-after"]) >= 1
    await api.claim(task_id)
    changed = await client.get(f"/api/v1/{path}/{task_id}", headers=known)
    assert (changed.status_code, changed.json()["status"]) == (200, "processing")
    listed = await client.get(
        f"/api/v1/{path}/{task_id}", headers={"If-None-Match": f'"x", W/{changed.headers["etag"]}'}
    )
    assert listed.status_code == 304


async def test_a_result_is_told_by_its_tag_until_it_is_edited(api: Api, client: httpx.AsyncClient) -> None:
    url = f"/api/v1/result/{await made(api, client)}"
    tags = {}
    for query in ("", "?format=srt", "?format=srt&max_lines=1", "?format=vtt", "?edits=false", "?revision=1"):
        first = await client.get(url + query)
        tags[query] = first.headers["etag"]
        same = await client.get(url + query, headers={"If-None-Match": tags[query]})
        assert (same.status_code, same.content) == (304, b"")
        assert first.headers["vary"] == same.headers["vary"] == "Accept-Encoding"
    assert len(set(tags.values())) == len(tags) - 1, "the latest revision is that of its number"
    renamed = await client.patch(f"{url.replace('result', 'tasks')}/speakers/spk_1", json={"name": "Ann"})
    assert renamed.status_code == 200
    for query, tag in tags.items():
        again = await client.get(url + query, headers={"If-None-Match": tag})
        assert again.status_code == (304 if query == "?edits=false" else 200)
        assert ("Ann" in again.text) == (query != "?edits=false")


async def test_a_long_result_is_kept_as_it_is_sent(api: Api, client: httpx.AsyncClient) -> None:
    task_id = await made(api, client, segments=300)
    url = f"/api/v1/result/{task_id}"
    first = await client.get(url)
    assert len(first.content) >= KEPT_FROM
    kept = await blobs(api)
    tag = first.headers["etag"].strip('"')
    assert kept == [f"{task_id}/1.edited.{tag}.json", f"{task_id}/1.edited.{tag}.json.gz", f"{task_id}/1.json"]
    again = await client.get(url)
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    packed = await client.get(url, headers={"accept-encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == first.content, "httpx unpacks"
    assert int(packed.headers["content-length"]) < len(first.content) / 4
    assert packed.headers["etag"] != first.headers["etag"]
    refused = await client.get(url, headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers
    raw = [chunk async for chunk in api.blobs.open(f"transcripts/{kept[1]}")]
    assert gzip.decompress(b"".join(raw)) == first.content

    await client.patch(f"/api/v1/tasks/{task_id}/speakers/spk_1", json={"name": "Ann"})
    edited = await client.get(url)
    assert '"Ann"' in edited.text
    assert await client.get(url) is not None
    assert len(await blobs(api)) == 3, "what was kept of the state before is gone"
    assert (await client.get(f"{url}?edits=false")).content != edited.content

    assert (await client.delete(f"/api/v1/tasks/{task_id}")).status_code == 204
    assert await blobs(api) == []
    receipt = (await client.get(f"/api/v1/deletions/{task_id}")).json()
    assert receipt["removed"]["transcripts"] == 1


async def test_a_task_that_goes_while_its_result_is_kept_leaves_nothing(api: Api, client: httpx.AsyncClient) -> None:
    task_id = await made(api, client, segments=300)
    put = api.blobs.put

    async def slow(key: str, chunks: AsyncIterator[bytes]) -> object:
        if key.endswith(".gz"):
            assert (await client.delete(f"/api/v1/tasks/{task_id}")).status_code == 204
        return await put(key, chunks)

    api.blobs.put = slow  # type: ignore[method-assign,assignment] # the moment between two steps
    await client.get(f"/api/v1/result/{task_id}")
    assert await blobs(api) == []


def test_preferences_are_read_as_the_rfc_writes_them() -> None:
    assert preference(None, most=60) == Preference()
    assert preference("return=minimal, wait=7;x=1", most=60) == Preference(wait=7)
    assert preference('Respond-Async, wait="100"', most=60) == Preference(wait=60, respond_async=True)
    assert preference("wait=-1, wait=soon, wait=3, wait=4", most=60) == Preference(wait=3)


@pytest.mark.parametrize("end", ["done", "error"])
async def test_waiting_ends_with_the_task(api: Api, client: httpx.AsyncClient, end: str) -> None:
    wish = {"Prefer": "wait=5"}
    media = {"file": ("a.wav", b"audio")}
    handing_in = asyncio.create_task(
        client.post("/api/v1/transcribe", files=media, data={"format": "text"}, headers=wish)
    )
    tasks: list[dict[str, str]] = []
    async with asyncio.timeout(5):
        while not tasks:
            tasks = (await client.get("/api/v1/tasks")).json()["tasks"]
    task_id = TaskId(UUID(tasks[0]["task_id"]))
    polls = [asyncio.create_task(client.get(f"/api/v1/{path}/{task_id}", headers=wish)) for path in ("tasks", "result")]
    await asyncio.sleep(0.2)
    assert not any(each.done() for each in (handing_in, *polls))
    if end == "done":
        await api.finish(task_id, a_transcript(task_id))
    else:
        await api.fail(task_id, TaskError("not_media", "it is no sound"))
    answer, state, result = await asyncio.wait_for(asyncio.gather(handing_in, *polls), 10)
    assert {each.headers["preference-applied"] for each in (answer, state)} == {"wait=5"}
    assert answer.headers["location"] == f"/api/v1/status/{task_id}"
    assert state.json()["status"] == end
    assert "retry-after" not in state.headers
    if end == "done":
        assert (answer.status_code, result.status_code) == (200, 200)
        assert answer.text == result.text
    else:
        assert (answer.status_code, answer.json()["status"], result.status_code) == (202, "queued", 409)
        assert "retry-after" not in result.headers


async def test_waiting_in_vain_says_where_to_ask(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/transcribe", files={"file": ("a.wav", b"audio")}, headers={"Prefer": "respond-async, wait=0"}
    )
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async, wait=0")
    assert int(answer.headers["retry-after"]) >= 1
    task_id = answer.json()["task_id"]
    result = await client.get(f"/api/v1/result/{task_id}", headers={"Prefer": "wait=1"})
    assert (result.status_code, result.json()["status"]) == (202, "queued")
    assert result.headers["location"] == f"/api/v1/status/{task_id}"
    assert (await client.get(f"/api/v1/result/{task_id}")).status_code == 409


def test_a_caller_who_hangs_up_is_not_waited_for(tmp_path: Path) -> None:
    with served(tmp_path) as server, httpx.Client(base_url=server.base, headers=server.headers[0]) as client:
        task = client.post("/api/v1/transcribe", files={"file": ("a.wav", b"audio")}).json()["task_id"]
        with pytest.raises(httpx.ReadTimeout):
            client.get(f"/api/v1/tasks/{task}", headers={"Prefer": "wait=60"}, timeout=0.5)
        began = time.monotonic()
        while "route=/api/v1/tasks/{task_id}" not in (tmp_path / "server.log").read_text():
            assert time.monotonic() - began < 10, "the request has not ended"
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("query", "most"),
    [("preset=bbc", (37, 2)), ("preset=netflix&max_lines=1", (42, 1)), ("max_line_chars=20", (20, 2))],
)
@pytest.mark.parametrize("format", ["srt", "vtt"])
async def test_cues_are_cut_as_asked(
    api: Api, client: httpx.AsyncClient, format: str, query: str, most: tuple[int, int]
) -> None:
    task_id = await made(api, client, segments=6)
    text = (await client.get(f"/api/v1/result/{task_id}?format={format}&speaker_style=never&{query}")).text
    cues = [cue.splitlines() for cue in text.strip().split("\n\n") if "-->" in cue]
    spoken = [cue[cue.index(next(line for line in cue if "-->" in line)) + 1 :] for cue in cues]
    assert max(len(line) for cue in spoken for line in cue) <= most[0]
    assert max(map(len, spoken)) <= most[1]
    assert "spk_" not in text
    assert " ".join(line for cue in spoken for line in cue).count("word") == 60


@pytest.mark.parametrize(
    "query",
    [
        "format=text&preset=bbc",
        "preset=bbc",
        "format=srt&min_duration=9&max_duration=2",
        "format=srt&preset=ours",
        "format=srt&max_lines=0",
        "format=srt&max_cps=NaN",
        "format=srt&min_duration=NaN",
        "format=srt&max_duration=1e400",
    ],
)
async def test_cue_options_that_mean_nothing_are_refused(api: Api, client: httpx.AsyncClient, query: str) -> None:
    task_id = await made(api, client)
    refused = await client.get(f"/api/v1/result/{task_id}?{query}")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_options")


async def test_speakers_are_named_as_asked(api: Api, client: httpx.AsyncClient) -> None:
    task_id = await made(api, client, segments=3)
    counts = {}
    for style in ("always", "on_change", "never"):
        text = (await client.get(f"/api/v1/result/{task_id}?format=vtt&speaker_style={style}&max_lines=1")).text
        counts[style] = text.count("<v spk_")
    assert counts["never"] == 0 < counts["on_change"] == 3 < counts["always"]
