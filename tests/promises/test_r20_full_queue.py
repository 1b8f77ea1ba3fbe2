"""R-20: a full queue refuses, with a stable code and when to come again; what was accepted is never lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.promises.sql_api import SqlApi, database

MOST, MOST_OF_OWNER = 5, 3
AT_ONCE = 20
pytestmark = pytest.mark.timeout(90)


@pytest.fixture(params=["sqlite", "postgres"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlApi]:
    async with database(request, tmp_path) as engine:
        yield SqlApi(tmp_path, engine, most_queued=(MOST, MOST_OF_OWNER))


async def post(client: httpx.AsyncClient, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"RIFF")}, headers=headers)


def accepted(answers: list[httpx.Response]) -> set[str]:
    return {answer.json()["task_id"] for answer in answers if answer.status_code == 202}


def refusals(answers: list[httpx.Response]) -> set[tuple[int, str, bool]]:
    refused = [answer for answer in answers if answer.status_code != 202]
    return {(each.status_code, each.json()["code"], each.headers["Retry-After"].isdigit()) for each in refused}


async def test_r20_each_has_room_up_to_its_own_limit_and_all_up_to_the_whole(api: SqlApi, tmp_path: Path) -> None:
    async with (
        api.client(await api.issue_key()) as greedy,
        api.client(await api.issue_key()) as modest,
        api.client(await api.issue_key()) as late,
    ):
        own = await asyncio.gather(*[post(greedy) for _ in range(AT_ONCE)])
        assert (len(accepted(own)), refusals(own)) == (MOST_OF_OWNER, {(429, "too_many_queued", True)})
        others = [*await asyncio.gather(*[post(client) for client in (modest, late) for _ in range(AT_ONCE)])]
        assert len(accepted(others)) == MOST - MOST_OF_OWNER
        assert (429, "queue_full", True) in refusals(others)
        assert {str(task.id) for task in await api.queued()} == accepted([*own, *others])
        assert len(api.recordings(tmp_path)) == MOST, "of what was refused nothing is kept"
        assert api.spooled() == []

        first = (await api.queued())[0]
        await api.claim(first.id)
        again = await asyncio.gather(*[post(client) for client in (greedy, modest, late) for _ in range(AT_ONCE)])
        assert len(accepted(again)) == 1, "a task that was begun leaves room for one"


async def test_r20_it_refuses_before_a_recording_is_taken(api: SqlApi) -> None:
    async with api.client(await api.issue_key()) as client:
        for _ in range(MOST_OF_OWNER):
            assert (await post(client)).status_code == 202
        api.spool.rmdir()  # where it would have to be put
        assert (await post(client)).status_code == 429


async def test_r20_what_was_accepted_is_answered_again_although_it_is_full(api: SqlApi) -> None:
    async with api.client(await api.issue_key()) as client:
        answers = [await post(client, f"key-{number}") for number in range(MOST_OF_OWNER + 1)]
        assert [answer.status_code for answer in answers] == [202] * MOST_OF_OWNER + [429]
        assert (await post(client, "key-1")).content == answers[1].content
        at_once = await asyncio.gather(*[post(client, "key-2") for _ in range(AT_ONCE)])
        assert {answer.content for answer in at_once} == {answers[2].content}


async def test_r20_twins_at_once_take_one_place(api: SqlApi) -> None:
    async with api.client(await api.issue_key()) as client:
        for _ in range(MOST_OF_OWNER - 1):
            await post(client)
        answers = await asyncio.gather(*[post(client, "twin") for _ in range(AT_ONCE)])
        assert {answer.status_code for answer in answers} == {202}
        assert len(accepted([*answers])) == 1
