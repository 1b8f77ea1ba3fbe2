"""R-19: a submission that comes again under its Idempotency-Key is one task, whatever comes at once."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.system import SystemClock
from application.sweep import Sweep
from domain.idempotency import KEPT, Answered, RequestKey
from tests.builders import OWNER, a_task
from tests.promises.sql_api import SqlApi, database

AT_ONCE = 20
WAVE = b"RIFF" + bytes(range(256)) * 40
pytestmark = pytest.mark.timeout(90)


@pytest.fixture(params=["sqlite", "postgres"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlApi]:
    async with database(request, tmp_path) as engine:
        yield SqlApi(tmp_path, engine)


@pytest.fixture
async def client(api: SqlApi) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client(await api.issue_key()) as client:
        yield client


async def post(
    client: httpx.AsyncClient, key: str | None = "one", media: bytes = WAVE, **fields: str
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post("/api/v1/transcribe", files={"file": ("a.wav", media)}, data=fields, headers=headers)


async def test_r19_twenty_at_once_are_one_task(api: SqlApi, client: httpx.AsyncClient, tmp_path: Path) -> None:
    answers = await asyncio.gather(*[post(client, lang="en") for _ in range(AT_ONCE)])
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1, "all got the same answer"
    assert [str(task.id) for task in await api.queued()] == [answers[0].json()["task_id"]]
    assert len(api.recordings(tmp_path)) == 1
    assert api.spooled() == []


async def test_r19_later_and_in_any_state_too(api: SqlApi, client: httpx.AsyncClient) -> None:
    first = await post(client)
    await api.claim((await api.queued())[0].id)
    again = await post(client, '"one"')
    assert (again.status_code, again.content) == (202, first.content), "with the quotes that the draft asks for, too"
    assert await api.queued() == []


@pytest.mark.parametrize("other", [{"media": WAVE + b"!"}, {"lang": "de"}, {"num_speakers": "2"}])
async def test_r19_another_body_under_the_same_key_is_refused(
    api: SqlApi, client: httpx.AsyncClient, other: dict[str, str], tmp_path: Path
) -> None:
    await post(client, format="srt")
    refused = await post(client, **{"format": "srt", **other})  # type: ignore[arg-type] # media is bytes
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")
    assert refused.json()["type"] == "/problems/idempotency-mismatch"
    assert len(await api.queued()) == len(api.recordings(tmp_path)) == 1


async def test_r19_the_same_under_one_key_but_for_where_its_events_go_is_refused(
    api: SqlApi, client: httpx.AsyncClient
) -> None:
    hook = {"webhook_url": "http://127.0.0.1:9000/a", "webhook_secret": "whsec_" + b64encode(bytes(24)).decode()}
    first = await post(client, **hook)  # type: ignore[arg-type] # media is bytes
    assert first.status_code == 202, first.text
    assert (await post(client, **hook)).content == first.content  # type: ignore[arg-type]
    for other in ({}, hook | {"webhook_url": "http://127.0.0.1:9000/b"}):
        refused = await post(client, **other)  # type: ignore[arg-type]
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")
    assert len(await api.queued()) == 1


async def test_r19_of_different_bodies_at_once_one_is_taken(
    api: SqlApi, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    answers = await asyncio.gather(*[post(client, media=WAVE + bytes([number])) for number in range(8)])
    assert sorted(answer.status_code for answer in answers) == [202] + [422] * 7
    assert len(await api.queued()) == len(api.recordings(tmp_path)) == 1


async def test_r19_a_key_is_its_callers_and_does_not_outlive_its_task(api: SqlApi, client: httpx.AsyncClient) -> None:
    first = (await post(client)).json()["task_id"]
    async with api.client(await api.issue_key()) as other:
        assert (await post(other)).json()["task_id"] != first
    assert (await post(client, None)).json()["task_id"] != (await post(client, None)).json()["task_id"]
    assert (await client.delete(f"/api/v1/tasks/{first}")).is_success
    assert (await post(client)).json()["task_id"] != first


async def test_r19_a_request_that_was_refused_uses_no_key_up(client: httpx.AsyncClient) -> None:
    assert (await post(client, media=b"")).status_code == 422
    assert (await post(client, model="large")).status_code == 503
    assert (await post(client)).status_code == 202


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_r19_a_key_that_is_none_is_refused(client: httpx.AsyncClient, key: str) -> None:
    assert (await post(client, key)).status_code == 422


async def test_r19_keys_are_kept_for_a_day() -> None:
    clock = SystemClock()
    memory = MemoryDatabase(clock)
    task = a_task(run_after=clock.now() + timedelta(days=9))
    keys = [RequestKey(owner=OWNER, scope="transcribe", key=key) for key in ("young", "old")]
    async with MemoryUnitOfWork(memory) as uow:
        await uow.tasks.add(task)
        for key, age in zip(keys, (KEPT - timedelta(minutes=1), KEPT + timedelta(minutes=1)), strict=True):
            await uow.idempotency.add(key, Answered(fingerprint="", task_id=task.id), now=clock.now() - age)
        await uow.commit()
    await Sweep(new_uow=lambda: MemoryUnitOfWork(memory), queue=InProcessQueue())()
    async with MemoryUnitOfWork(memory) as uow:
        assert [await uow.idempotency.get(key) is not None for key in keys] == [True, False]
