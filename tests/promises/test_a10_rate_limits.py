"""A-10: exactly the limit is let through: in a burst, at a window's edge, by two processes; nobody hops past it."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import httpx
import pytest

from adapters.limits.memory import MemoryRateLimiter
from entrypoints.http.app import create_app
from entrypoints.http.client_address import TrustedProxies
from entrypoints.http.rates import RateLimits, Zone
from tests.adapters.test_limits import SetClock
from tests.e2e.cluster import Cluster
from tests.e2e.service import Service
from tests.entrypoints.http_service import Api
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

MOST = 10
STATUS = "/api/v1/tasks"
HOPS = 200
SPOOFS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "Client-IP")


class Counted:
    """The API with limits, asked from whatever address a test likes."""

    def __init__(self, folder: Path, most: Mapping[Zone, int], proxies: str = "") -> None:
        self.clock = SetClock()
        self.api = Api(folder)
        rates = RateLimits(MemoryRateLimiter(self.clock), most, TrustedProxies([proxies]))
        self.app = create_app(replace(self.api.dependencies, rates=rates), self.api.limits)

    async def get(
        self, path: str, headers: Mapping[str, str] | None = None, *, peer: str = "203.0.113.9"
    ) -> httpx.Response:
        async with self.client(headers, peer=peer) as client:
            return await client.get(path)

    def client(self, headers: Mapping[str, str] | None = None, *, peer: str = "203.0.113.9") -> httpx.AsyncClient:
        app = cast("Callable[..., Awaitable[None]]", self.app)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 4711))
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    async def burst(self, path: str, headers: Mapping[str, str] | None = None, times: int = 60) -> list[httpx.Response]:
        return await asyncio.gather(*(self.get(path, headers) for _ in range(times)))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def test_a10_a_burst_gets_exactly_the_limit_and_is_told_so(tmp_path: Path) -> None:
    counted = Counted(tmp_path, {Zone.GENERAL: MOST})
    first, second = await counted.api.issue_key(), await counted.api.issue_key()
    answers = await counted.burst(STATUS, first)
    assert statuses(answers) == {200: MOST, 429: 60 - MOST}
    assert statuses(await counted.burst(STATUS, second, MOST)) == {200: MOST}, "others are counted by themselves"
    left = []
    for answer in answers:
        assert answer.headers["RateLimit-Policy"] == f'"general";q={MOST};w=60'
        told = re.fullmatch(r'"general";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
        assert told
        assert 1 <= int(told[2]) <= 60
        if answer.status_code == 200:
            left.append(int(told[1]))
            assert "Retry-After" not in answer.headers
        else:
            assert told[1] == "0"
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.headers["Content-Type"] == "application/problem+json"
            problem = answer.json()
            assert (problem["code"], problem["type"]) == ("rate_limited", "/problems/rate-limited")
    assert sorted(left) == list(range(MOST))


async def test_a10_no_window_of_a_minute_holds_more_wherever_it_begins(tmp_path: Path) -> None:
    counted = Counted(tmp_path, {Zone.GENERAL: MOST})
    key = await counted.api.issue_key()
    allowed: list[float] = []
    for step in range(120):
        # A trickle, and bursts that fall on every part of a minute.
        answers = statuses([await counted.get(STATUS, key) for _ in range(2 if step % 7 else 15)])
        allowed += [counted.clock.seconds] * answers[200]
        await counted.clock.passes(1.7)
    worst = max(sum(begin <= at < begin + 60 for at in allowed) for begin in allowed)
    assert worst == MOST
    assert len(allowed) >= 120 * 1.7 / 60 * MOST * 0.9, "nor does it let through fewer"


async def test_a10_all_of_a_zones_routes_share_one_count(tmp_path: Path) -> None:
    counted = Counted(tmp_path, {Zone.GENERAL: MOST})
    key = await counted.api.issue_key()
    paths = [STATUS, "/api/v1/models", "/v1/models", "/api/v1/deletions"]
    answers = [await counted.get(paths[number % len(paths)], key) for number in range(60)]
    assert statuses(answers) == {200: MOST, 429: 50}


async def test_a10_whoever_waits_as_told_is_served(tmp_path: Path) -> None:
    counted = Counted(tmp_path, {Zone.GENERAL: 2})
    key = await counted.api.issue_key()
    for _ in range(5):
        answer = await counted.get(STATUS, key)
        if answer.status_code == 429:
            await counted.clock.passes(int(answer.headers["Retry-After"]))
            answer = await counted.get(STATUS, key)
        assert answer.status_code == 200
        await counted.clock.passes(7)


@pytest.mark.parametrize("header", SPOOFS)
async def test_a10_a_stranger_cannot_be_somebody_else(tmp_path: Path, header: str) -> None:
    counted = Counted(tmp_path, {Zone.STRANGERS: MOST}, proxies="10.0.0.0/8")
    spoofed = [f"198.51.100.{number}" for number in range(60)]
    value = "for={}" if header == "Forwarded" else "{}"
    answers = [await counted.get(STATUS, {header: value.format(address)}) for address in spoofed]
    assert statuses(answers) == {401: MOST, 429: 50}
    through = [await counted.get(STATUS, {header: value.format(each)}, peer="10.0.0.1") for each in spoofed]
    believed = header == "X-Forwarded-For"
    assert statuses(through) == ({401: 60} if believed else {401: MOST, 429: 50})
    if believed:  # what stands left of the address that the proxy saw is anybody's invention
        seen = [await counted.get(STATUS, {header: f"{each}, 192.0.2.1"}, peer="10.0.0.1") for each in spoofed]
        assert statuses(seen) == {401: MOST, 429: 50}


async def test_a10_hopping_within_a_64_changes_nothing(tmp_path: Path) -> None:
    counted = Counted(tmp_path, {Zone.STRANGERS: MOST})
    hops = [await counted.get(STATUS, peer=f"2001:db8:1:2:{number:x}::{number:x}") for number in range(HOPS)]
    assert statuses(hops) == {401: MOST, 429: HOPS - MOST}
    assert (await counted.get(STATUS, peer="2001:db8:1:3::1")).status_code == 401, "another one is somebody else"


async def test_a10_a_valid_key_is_let_in_from_where_others_guess(tmp_path: Path) -> None:
    counted = Counted(tmp_path, {Zone.STRANGERS: MOST, Zone.GENERAL: 100})
    guesses = await asyncio.gather(
        *(counted.get(STATUS, {"Authorization": f"Bearer cq_{number}"}) for number in range(60))
    )
    assert statuses(guesses) == {401: MOST, 429: 50}
    assert (await counted.get(STATUS, await counted.api.issue_key())).status_code == 200
    for path in ("/health/live", "/health/ready"):
        assert statuses(await counted.burst(path)) == {200: 60}, "supervisors are never refused"


async def test_a10_zones_are_counted_apart(tmp_path: Path) -> None:
    counted = Counted(tmp_path, {Zone.GENERAL: MOST, Zone.HEALTH: 5, Zone.STRANGERS: 7})
    assert statuses(await counted.burst("/health")) == {200: 5, 429: 55}
    assert statuses(await counted.burst("/docs/openapi.json")) == {200: 7, 429: 53}
    assert statuses(await counted.burst(STATUS, await counted.api.issue_key())) == {200: MOST, 429: 50}


async def test_a10_whatever_takes_recordings_is_counted_as_such(tmp_path: Path) -> None:
    paths = ["/api/v1/transcribe", "/transcribe", "/v1/audio/transcriptions", "/api/v1/audio", "/asr", "/jobs"]
    counted = Counted(tmp_path, {Zone.GENERAL: 50, Zone.UPLOADS: 4})
    async with counted.client(await counted.api.issue_key()) as client:
        answers = [await client.post(path, content=b"") for path in paths]
        assert [answer.status_code == 429 for answer in answers] == [False] * 4 + [True] * 2
        assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"uploads";q=4;w=60'}
        assert (await client.get(STATUS)).headers["RateLimit"] == '"general";r=49;t=60'


@pytest.mark.parametrize("path", ["/api/v1/transcribe", "/v1/audio/transcriptions"])
def test_a10_recordings_have_a_limit_of_their_own(tmp_path: Path, path: str) -> None:
    with Service(tmp_path / "data", LIMIT_UPLOADS="3", LIMIT_GENERAL="50") as service, service.client() as client:
        answers = [client.post(path, files={"file": ("a.wav", b"")}) for _ in range(5)]
        assert [answer.status_code == 429 for answer in answers] == [False] * 3 + [True] * 2
        assert answers[-1].headers["RateLimit-Policy"] == '"uploads";q=3;w=60'
        assert int(answers[-1].headers["Retry-After"]) >= 1
        problem = answers[-1].json()
        assert (problem.get("error") or problem)["code"] == "rate_limited"
        assert client.get(STATUS).status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a10_two_processes_let_through_exactly_the_limit(
    tmp_path: Path, postgres: PostgresServer, redis: RedisServer
) -> None:
    redis.flush()
    limits = {"LIMIT_GENERAL": "40", "LIMIT_STRANGERS": "25"}
    with (
        postgres.database() as database,
        Cluster(tmp_path, database_url=database, queue_url=redis.url(), **limits) as cluster,
    ):
        apis = [cluster.api("one"), cluster.api("two")]
        with (
            httpx.Client(timeout=20, trust_env=False) as client,
            ThreadPoolExecutor(16) as threads,
        ):

            def ask(number: int, headers: Mapping[str, str] | None = None) -> int:
                return client.get(f"{apis[number % 2].base}{STATUS}", headers=headers).status_code

            key = {"Authorization": f"Bearer {apis[1].key}"}
            assert Counter(threads.map(lambda number: ask(number, key), range(100))) == {200: 40, 429: 60}
            assert Counter(threads.map(ask, range(100))) == {401: 25, 429: 75}
