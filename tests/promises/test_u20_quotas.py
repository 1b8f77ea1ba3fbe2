"""U-20: what an owner may use is exactly what it gets, however many uploads come at once; the rest leaves nothing."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.quota import Quota
from domain.task import OwnerId, TaskId
from tests.e2e.service import Service, environment
from tests.promises.sql_api import SqlApi, database
from tests.recordings import looped

AT_ONCE = 20
SIZE = 1000
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["sqlite", "postgres"])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[Quota], SqlApi]]:
    async with database(request, tmp_path) as engine:

        def build(quota: Quota) -> SqlApi:
            SqlApi.quota, before = quota, SqlApi.quota
            try:
                return SqlApi(tmp_path, engine)
            finally:
                SqlApi.quota = before

        yield build


async def post(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    return await client.post("/api/v1/transcribe", files={"file": ("a.wav", b"x" * SIZE)}, headers=headers)


def outcomes(answers: list[httpx.Response]) -> Counter[tuple[int, str]]:
    return Counter((each.status_code, each.json().get("code", "")) for each in answers)


async def usage(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/api/v1/usage")
    assert answer.status_code == 200
    return {name: (share["used"], share["limit"]) for name, share in answer.json().items()}


@pytest.mark.parametrize(
    ("quota", "most"),
    [
        (Quota(requests=7), 7),
        (Quota(bytes=5 * SIZE + SIZE - 1), 5),
        (Quota(tasks=3), 3),
        (Quota(requests=9, bytes=4 * SIZE, tasks=6), 4),
        (Quota(audio_minutes=0), 0),
        (Quota(audio_minutes=1), AT_ONCE),
    ],
)
async def test_u20_exactly_what_fits_of_twenty_at_once(
    make: Callable[[Quota], SqlApi], tmp_path: Path, quota: Quota, most: int
) -> None:
    api = make(quota)
    async with api.client(await api.issue_key()) as client, api.client(await api.issue_key()) as other:
        answers = await asyncio.gather(*[post(client) for _ in range(AT_ONCE)])
        expected = {(202, ""): most, (429, "quota_exceeded"): AT_ONCE - most}
        assert outcomes(answers) == Counter({key: count for key, count in expected.items() if count})
        for refused in (each for each in answers if each.status_code == 429):
            assert int(refused.headers["Retry-After"]) >= 1
        assert len(api.recordings(tmp_path)) == most, "of what was refused nothing is kept"
        assert api.spooled() == []
        assert await usage(client) == {
            "requests": (most, quota.requests), "audio_minutes": (0, quota.audio_minutes),
            "bytes": (most * SIZE, quota.bytes), "tasks": (most, quota.tasks),
        }  # fmt: skip
        assert (await post(other)).status_code == (202 if most else 429), "each owner has its own"


async def test_u20_a_repeated_request_costs_once(make: Callable[[Quota], SqlApi]) -> None:
    api = make(Quota(requests=2))
    async with api.client(await api.issue_key()) as client:
        answers = await asyncio.gather(*[post(client, **{"Idempotency-Key": "one"}) for _ in range(AT_ONCE)])
        assert {each.status_code for each in answers} == {202}
        assert (await usage(client))["requests"] == (1, 2)
        assert (await post(client)).status_code == 202
        assert (await post(client)).status_code == 429
        assert (await post(client, **{"Idempotency-Key": "one"})).content == answers[0].content


async def test_u20_ended_tasks_make_room_and_deleted_ones_give_nothing_back(make: Callable[[Quota], SqlApi]) -> None:
    api = make(Quota(tasks=1, requests=3))
    async with api.client(await api.issue_key()) as client:
        for _ in range(3):
            task = TaskId((await post(client)).json()["task_id"])
            assert (await post(client)).json()["code"] == "quota_exceeded"
            assert (await client.post(f"/api/v1/tasks/{task}/cancel")).status_code == 200
            assert (await client.delete(f"/api/v1/tasks/{task}")).status_code == 204
        refused = await post(client)
        assert refused.status_code == 429
        assert 86_000 < int(refused.headers["Retry-After"]) <= 86_400


async def test_u20_an_owners_own_quota_goes_before_everybodys(make: Callable[[Quota], SqlApi]) -> None:
    api = make(Quota(requests=1))
    key, secret = await api.keys.issue("own")
    async with api.new_uow() as uow:
        await uow.usage.set_quota(OwnerId(key.owner), Quota(requests=3))
        await uow.commit()
    async with api.client({"Authorization": f"Bearer {secret}"}) as client:
        assert [(await post(client)).status_code for _ in range(4)] == [202, 202, 202, 429]
        assert (await usage(client))["requests"] == (3, 3)


@pytest.mark.timeout(90)
def test_u20_audio_is_charged_once_it_is_decoded(tmp_path: Path) -> None:
    """By the real service and the real command: what was heard counts, and the next recording is refused."""
    settings = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "QUOTA_AUDIO_MINUTES": "1"}
    recording = looped(tmp_path / "a.flac", 61)
    with Service(tmp_path / "data", **settings) as service, service.client() as client:
        assert service.wait(service.submit(recording))["status"] == "done"
        used = client.get("/api/v1/usage").json()
        assert used["audio_minutes"] == {"used": 1.02, "limit": 1, "window_seconds": 30 * 86_400}
        assert used["bytes"]["used"] == recording.stat().st_size
        with recording.open("rb") as media:
            refused = client.post("/api/v1/transcribe", files={"file": media})
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
        owner = quotas(service, "list", keys=True).split("owner ")[1].split()[0]
        assert "audio-minutes 5" in quotas(service, "set", owner, "--audio-minutes", "5", "--tasks", "2")
        assert quotas(service, "list").splitlines()[1].startswith(owner)
        assert service.wait(service.submit(recording))["status"] == "done"
        quotas(service, "reset", owner)
        assert client.get("/api/v1/usage").json()["audio_minutes"]["limit"] == 1


def quotas(service: Service, *arguments: str, keys: bool = False) -> str:
    command = [str(Path(sys.executable).with_name("colloquy")), "keys" if keys else "quotas", *arguments]
    ran = subprocess.run(
        command, env=environment(service.data) | service.settings, capture_output=True, text=True, check=True
    )
    return ran.stdout


async def test_u20_clips_count_by_their_bytes(make: Callable[[Quota], SqlApi]) -> None:
    api = make(Quota(bytes=4 * SIZE + 1, requests=1))
    async with api.client(await api.issue_key()) as client:

        async def clip(_: int) -> httpx.Response:
            return await client.post("/api/v1/audio", files={"file": ("a.wav", b"x" * SIZE)})

        answers = await asyncio.gather(*map(clip, range(AT_ONCE)))
        assert Counter(each.status_code for each in answers) == {201: 4, 429: AT_ONCE - 4}
        assert {each.json().get("code") for each in answers if each.status_code == 429} == {"quota_exceeded"}
        assert (await usage(client))["bytes"] == (4 * SIZE, 4 * SIZE + 1)
        kept = next(each.json()["clip_id"] for each in answers if each.status_code == 201)
        taken = await client.post("/api/v1/transcribe", json={"clip_id": kept})
        assert taken.status_code == 202, "a clip's bytes count once, and storing it was no request"
        assert (await usage(client))["bytes"] == (4 * SIZE, 4 * SIZE + 1)
        await client.delete(f"/api/v1/audio/{kept}")
        assert (await clip(0)).status_code == 429, "what was handed in was handed in"
        assert api.spooled() == []
