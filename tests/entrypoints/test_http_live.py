"""Following tasks over HTTP with real clients: server-sent events, lines of JSON, and a WebSocket for many tasks."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
import websockets
from websockets.asyncio.client import ClientConnection

from adapters.system import Uuid7Factory
from domain.task import TaskId
from entrypoints.http import event_stream, sockets
from tests.entrypoints.http_service import a_transcript
from tests.entrypoints.live_service import Live, ServerSent, live_service, server_sent

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]
NOBODYS = Uuid7Factory().new()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("application.follow_task._DOUBT_SECONDS", 0.03)  # nobody publishes events here
        for pause in ("_HANDSHAKE_SECONDS", "_SETTLE_SECONDS"):
            patch.setattr(f"entrypoints.http.ending.{pause}", 0.02)
        async with live_service(tmp_path_factory.mktemp("live")) as served:
            yield served


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (event_stream, sockets):
        monkeypatch.setattr(module, "PING_SECONDS", 0.1)


async def events(
    live: Live, task_id: TaskId, *, after: str = "", segments: bool = False, comments: list[str] | None = None
) -> AsyncIterator[ServerSent]:
    headers = {"Last-Event-ID": after} if after else {}
    async with (
        live.client() as client,
        client.stream(
            "GET", f"/api/v1/tasks/{task_id}/events", headers=headers, params={"segments": segments}
        ) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        async for event in server_sent(answer.aiter_lines(), comments):
            yield event


async def lines(live: Live, task_id: TaskId) -> AsyncIterator[dict[str, Any]]:
    async with live.client() as client, client.stream("GET", f"/api/v1/tasks/{task_id}/stream") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-accel-buffering"] == "no"
        async for line in answer.aiter_lines():
            yield json.loads(line)


async def test_a_task_is_followed_from_its_submission_to_its_end(live: Live) -> None:
    task_id = await live.submit()
    reading = events(live, task_id)
    assert await anext(reading) == ServerSent("retry", "", 2000)
    first = await anext(reading)
    assert (first.name, first.data["status"], first.data["stalled"]) == ("status", "queued", False)
    await live.api.claim(task_id)
    assert (await anext(reading)).data["status"] == "processing"
    await live.advance(task_id, 0.5)
    half = await anext(reading)
    assert (half.name, half.data["progress"], half.data["eta_seconds"]) == ("progress", 50, 5)
    await live.advance(task_id, 0.5, stalled=True)
    assert (await anext(reading)).data["stalled"] is True
    async with live.client() as client:
        assert (await client.get(f"/api/v1/tasks/{task_id}")).json()["stalled"] is True
        await client.delete(f"/api/v1/tasks/{task_id}")
    gone = await anext(reading)
    assert (gone.name, gone.id, gone.data["error"]["code"]) == ("error", "", "not_found")
    assert [event async for event in reading] == []


@pytest.mark.parametrize("end", ["done", "error", "cancelled"])
async def test_of_a_task_that_has_ended_the_end_comes_at_once(live: Live, end: str) -> None:
    task_id = await live.submit()
    if end == "done":
        await live.api.finish(task_id, a_transcript(task_id))
    elif end == "error":
        await live.fail(task_id)
    else:
        async with live.client() as client:
            await client.post(f"/api/v1/tasks/{task_id}/cancel")
    _, last = [event async for event in events(live, task_id)]
    assert last.name == ("done" if end == "done" else "error")
    assert last.data["status"] == end
    match end:
        case "done":
            assert last.data["progress"] == 100
            async with live.client() as client:
                assert (await client.get(last.data["result"])).status_code == 200
        case "error":
            assert last.data["error"]["code"] == "engine_failed"
        case _:
            assert last.data["error"]["code"] == "wrong_state"
    async with live.client() as client:  # a browser stops coming back at a 204, and at nothing else that is well
        again = await client.get(f"/api/v1/tasks/{task_id}/events", headers={"Last-Event-ID": last.id})
    assert (again.status_code, again.text) == (204, "")


async def test_who_comes_back_is_told_the_rest(live: Live) -> None:
    task_id = await live.submit()
    await live.api.claim(task_id)
    await live.advance(task_id, 0.3)
    reading = events(live, task_id)
    await anext(reading)
    seen = await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined] # of generators
    resumed = events(live, task_id, after=seen.id)
    await anext(resumed)
    waiting = asyncio.ensure_future(anext(resumed))
    await asyncio.sleep(0.2)
    assert not waiting.done(), "what was seen is not told again"
    await live.advance(task_id, 0.6)
    assert (await waiting).data["progress"] == 60
    assert (await anext(events(live, task_id, after="no id of ours"))).name == "retry"


async def test_a_strange_id_is_the_beginning(live: Live) -> None:
    task_id = await live.submit()
    for odd in ("", "x" * 300, "-1", "1e9", "9" * 40, "0.1", "٣"):
        headers = [(b"last-event-id", odd.encode())] + [(k.encode(), v.encode()) for k, v in live.owner.items()]
        async with (
            live.client() as client,
            client.stream("GET", f"/api/v1/tasks/{task_id}/events", headers=headers) as answer,
        ):
            assert answer.status_code == 200
            told = server_sent(answer.aiter_lines())
            assert [(await anext(told)).name for _ in range(2)] == ["retry", "status"]


async def test_segments_come_where_they_are_asked_for(live: Live) -> None:
    task_id = await live.submit()
    await live.api.finish(task_id, a_transcript(task_id, segments=3))
    told = [event async for event in events(live, task_id, segments=True)]
    assert [event.name for event in told] == ["retry", "segment", "segment", "segment", "done"]
    assert told[1].data["text"] == "word0x0 word0x1 word0x2 word0x3"
    assert (told[2].data["start"], told[2].data["end"]) == (2.0, 4.0)
    after = [event async for event in events(live, task_id, segments=True, after=told[2].id)]
    assert after[1:] == told[3:]


@pytest.mark.usefixtures("hasty")
async def test_streams_say_something_where_there_is_nothing_to_tell(live: Live) -> None:
    task_id = await live.submit()
    comments: list[str] = []
    reading, other = events(live, task_id, comments=comments), lines(live, task_id)
    for _ in range(2):
        await anext(reading)
    waiting = asyncio.ensure_future(anext(reading))
    assert [(await anext(other))["type"] for _ in range(4)] == ["started", *["heartbeat"] * 3]
    assert comments
    assert set(comments) == {": ping"}
    waiting.cancel()


async def test_lines_tell_what_was_said_and_last_how_it_ended(live: Live) -> None:
    task_id = await live.submit()
    reading = lines(live, task_id)
    assert (await anext(reading))["type"] == "started"
    await live.api.claim(task_id)
    assert (await anext(reading))["status"] == "processing"
    async with live.api.new_uow() as uow:
        task = await uow.tasks.get(task_id)
        assert task is not None
        now = await uow.tasks.now()
        task.release(token=task.token, now=now)
        await uow.tasks.save(task)
        await uow.commit()
    assert (await anext(reading))["status"] == "queued"
    await live.api.finish(task_id, a_transcript(task_id, segments=2))
    told = [line async for line in reading if line["type"] not in {"progress", "heartbeat"}]
    assert [line["type"] for line in told] == ["segment", "segment", "completed"]
    assert [line["index"] for line in told[:-1]] == [0, 1]
    assert told[-1]["segments"] == 2
    failed = await live.submit()
    await live.fail(failed)
    assert [line["type"] async for line in lines(live, failed)] == ["started", "error"]


async def test_streams_of_other_owners_are_none(live: Live) -> None:
    task_id = await live.submit()
    async with live.client(live.stranger) as client:
        for path in ("events", "stream"):
            foreign = await client.get(f"/api/v1/tasks/{task_id}/{path}", headers={"x-request-id": "the-same"})
            none = await client.get(f"/api/v1/tasks/{NOBODYS}/{path}", headers={"x-request-id": "the-same"})
            assert foreign.status_code == none.status_code == 404
            assert foreign.json()["code"] == none.json()["code"] == "not_found"


async def test_a_browser_follows_with_a_token_that_was_lent(live: Live) -> None:
    task_id = await live.submit()
    await live.fail(task_id)
    async with live.client() as client:
        lent = (await client.post("/api/v1/tokens", json={"scopes": ["read"]})).json()["token"]
    async with httpx.AsyncClient(base_url=live.base, trust_env=False) as browser:
        answer = await browser.get(f"/api/v1/tasks/{task_id}/events", params={"access_token": lent})
        assert answer.status_code == 200
        assert "event: error" in answer.text
    async with live.socket({}, f"?access_token={lent}") as socket:
        await socket.send(json.dumps({"subscribe": [str(task_id)]}))
        assert await told(socket, "error")


async def told(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next message of one of these kinds."""
    async with asyncio.timeout(10):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] in kinds:
                return message


async def test_one_socket_follows_many_tasks(live: Live) -> None:
    tasks = [await live.submit() for _ in range(5)]
    async with live.socket() as socket:
        await socket.send(json.dumps({"subscribe": [str(task) for task in tasks]}))
        seen = {(await told(socket, "status"))["task_id"] for _ in tasks}
        assert seen == {str(task) for task in tasks}
        await socket.send(json.dumps({"unsubscribe": [str(tasks[0])], "type": "ping"}))
        assert len((await told(socket, "subscriptions"))["task_ids"]) == 4
        assert await told(socket, "pong")
        for task in tasks:
            await live.fail(task)
        ended = {(await told(socket, "error"))["task_id"] for _ in tasks[1:]}
        assert ended == {str(task) for task in tasks[1:]}
        await socket.send(json.dumps({"subscribe": [str(tasks[0])]}))
        assert (await told(socket, "error"))["error"]["code"] == "engine_failed"


async def test_another_owners_task_is_told_from_none_by_nothing(live: Live) -> None:
    task_id = await live.submit()
    nobodys = str(NOBODYS)
    async with live.socket(live.stranger) as socket:
        await socket.send(json.dumps({"subscribe": [str(task_id), nobodys, "not an id"]}))
        refused = [await told(socket, "refused") for _ in range(3)]
    by_id = {each["task_id"]: each["error"] for each in refused}
    assert by_id[str(task_id)]["code"] == by_id["not an id"]["code"] == "not_found"
    assert json.dumps(by_id[str(task_id)]).replace(str(task_id), nobodys) == json.dumps(by_id[nobodys])


async def test_a_frame_that_makes_no_sense_is_answered(live: Live) -> None:
    async with live.socket() as socket:
        for frame in ("", "{", "[]", '"x"', "{}", '{"subscribe": 1}', '{"type": "dance"}', "[" * 9999, b"\xff\xfe"):
            await socket.send(frame)
            assert (await told(socket, "refused"))["error"]["code"] == "malformed_request"
        await socket.send('{"type": "ping"}')
        assert await told(socket, "pong"), "and the connection lives on"


async def test_a_client_that_only_makes_mistakes_is_let_go(live: Live) -> None:
    async with live.socket() as socket:
        for _ in range(sockets.MAX_MISTAKES + 1):
            await socket.send("x")
            await told(socket, "refused")
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await told(socket, "refused")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    async with live.socket() as socket:
        await socket.send("[" * 70_000)
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await told(socket, "refused")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_subscriptions_are_bounded(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MAX_SUBSCRIPTIONS", 3)
    tasks = [str(await live.submit()) for _ in range(4)]
    async with live.socket() as socket:
        await socket.send(json.dumps({"subscribe": [*tasks[:3], *tasks[:3], tasks[3]]}))
        assert (await told(socket, "refused"))["error"]["code"] == "too_many_subscriptions"
        assert (await told(socket, "subscriptions"))["task_ids"] == tasks[:3]
        await live.fail(TaskId(UUID(tasks[0])))
        await told(socket, "error")
        await socket.send(json.dumps({"subscribe": [tasks[3]]}))
        assert (await told(socket, "subscriptions"))["task_ids"] == tasks[1:], "one that has ended counts no more"


@pytest.mark.usefixtures("hasty")
async def test_a_silent_socket_beats(live: Live) -> None:
    async with live.socket() as socket:
        for _ in range(3):
            assert await told(socket, "heartbeat") == {"type": "heartbeat"}


async def test_a_slow_reader_skips_to_the_latest(live: Live) -> None:
    task_id = await live.submit()
    await live.api.claim(task_id)
    follow = live.api.dependencies.follow
    async with live.socket(max_queue=1) as socket:
        await socket.send(json.dumps({"subscribe": [str(task_id)]}))
        await told(socket, "status")
        for number in range(60):
            await live.advance(task_id, number / 100)
        await asyncio.sleep(0.2)
        assert task_id in follow._watches
        progress = [(await told(socket, "progress"))["progress"]]
        while progress[-1] != 59:
            progress.append((await told(socket, "progress"))["progress"])
    assert progress == sorted(progress)
    async with asyncio.timeout(5):
        while task_id in follow._watches:  # noqa: ASYNC110 - nothing is left behind
            await asyncio.sleep(0.01)


async def test_a_refused_handshake_says_why(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    bearer = {"Authorization": "Bearer cq_nonsense"}
    for headers, path, status, code in (
        ({}, "/api/v1/ws?access_token=x", 401, "unauthorized"),
        (bearer, "/api/v1/ws", 401, "unauthorized"),
        (live.owner, "/api/v1/nowhere", 404, "not_found"),
        (live.owner, "/api/v1/tasks", 400, "malformed_request"),
        (
            live.owner | {f"x-filler-{number}": "x" * 7_000 for number in range(6)},
            "/api/v1/ws",
            431,
            "headers_too_large",
        ),
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(
                f"ws://127.0.0.1:{live.port}{path}", additional_headers=headers, proxy=None
            ):  # fmt: skip
                pass
        answer = refused.value.response
        assert answer.status_code == status
        problem = json.loads(answer.body or b"")
        assert problem["code"] == code
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["content-type"] == "application/problem+json"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_head_that_cannot_be_taken_holds_nobody(live: Live) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await live.socket(live.owner | {"x-filler": "x" * 20_000})
    assert refused.value.response.status_code == 400


async def test_a_page_elsewhere_is_served_as_ever_and_an_upgrade_of_it_is_none(live: Live) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "1"}
    async with live.client(live.owner | headers) as client:
        assert (await client.get("/api/v1/ws")).status_code in {400, 404, 426}
        assert (await client.get("/api/v1/tasks", headers={"Upgrade": "h2c"})).status_code in {200, 400}


async def test_at_last_when_the_service_ends_listeners_are_told_to_come_back(live: Live) -> None:
    task_id = await live.submit()
    reading, other = events(live, task_id), lines(live, task_id)
    for _ in range(2):
        await anext(reading)
    await anext(other)
    async with live.socket() as socket:
        await socket.send(json.dumps({"subscribe": [str(task_id)]}))
        await told(socket, "status")
        live.server.should_exit = True
        assert [event.name async for event in reading] == ["retry"]
        (last,) = [line async for line in other]
        assert (last["type"], last["error"]["code"]) == ("error", "restarting")
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await told(socket, "error")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
