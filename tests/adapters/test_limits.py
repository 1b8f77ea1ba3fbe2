"""Rate limits in memory and in a real Redis against their contract, and through a Redis that fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from adapters.limits import memory
from adapters.limits.memory import MemoryRateLimiter
from adapters.limits.redis import RedisRateLimiter
from application.ports.limits import RateLimiter, Rule, Verdict
from application.ports.system import Clock
from tests.contracts.proof import failures
from tests.contracts.rate_limiter import RULE, Passes, RateLimiterContract
from tests.servers.fault_proxy import FaultProxy
from tests.servers.redis import RedisServer


class SetClock(Clock):
    """Stands still until it is set on."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def passes(self, seconds: float) -> None:
        self.seconds += seconds


class TestMemoryRateLimiter(RateLimiterContract, adapter=MemoryRateLimiter):
    @pytest.fixture
    def clock(self) -> SetClock:
        return SetClock()

    @pytest.fixture
    def limiter(self, clock: SetClock) -> RateLimiter:
        return MemoryRateLimiter(clock)

    @pytest.fixture
    def passes(self, clock: SetClock) -> Passes:
        return clock.passes


class TestRedisRateLimiter(RateLimiterContract, adapter=RedisRateLimiter):
    @pytest.fixture
    async def limiter(self, redis: RedisServer) -> AsyncIterator[RateLimiter]:
        redis.flush()
        limiter = RedisRateLimiter(redis.url())
        yield limiter
        await limiter.close()

    @pytest.fixture
    def passes(self, redis: RedisServer) -> Passes:
        async def age(seconds: float) -> None:
            with redis.client() as client:
                for key in client.keys("colloquy:limit:*"):
                    moments = [int(moment) - int(seconds * 1_000_000) for moment in client.lrange(key, 0, -1)]
                    client.delete(key)
                    client.rpush(key, *moments)

        return age


async def test_two_processes_share_a_count_and_nothing_is_left_of_it(redis: RedisServer) -> None:
    redis.flush()
    rule = Rule("short", most=25, seconds=1)
    limiters = [RedisRateLimiter(redis.url()) for _ in range(2)]
    verdicts = await asyncio.gather(*(limiters[number % 2].hit("a", rule) for number in range(80)))
    assert sum(each.allowed for each in verdicts) == 25
    await asyncio.sleep(1.1)
    with redis.client() as client:
        assert client.keys("colloquy:limit:*") == []
    assert (await limiters[0].hit("a", rule)).remaining == 24
    for limiter in limiters:
        await limiter.close()


@pytest.mark.parametrize("fault", ["refuse", "swallow"])
async def test_while_redis_is_away_everything_is_allowed_soon_and_counted(redis: RedisServer, fault: str) -> None:
    redis.flush()
    with FaultProxy(redis.port) as proxy:
        limiter = RedisRateLimiter(redis.url(port=proxy.port))
        assert (await limiter.hit("a", RULE)).remaining == 2
        getattr(proxy, fault)()
        proxy.reset()
        started = time.monotonic()
        verdicts = [await limiter.hit("a", RULE) for _ in range(500)]
        assert time.monotonic() - started < 5
        assert all(each.allowed for each in verdicts)
        assert limiter.unjudged == 500
        proxy.heal()
        await asyncio.sleep(1.1)
        again = [await limiter.hit("a", RULE) for _ in range(3)]
        assert [each.allowed for each in again] == [True, True, False], "it counts on where it was"
        await limiter.close()


async def test_a_redis_that_lost_its_scripts_is_given_them_again(redis: RedisServer) -> None:
    redis.flush()
    limiter = RedisRateLimiter(redis.url())
    await limiter.hit("a", RULE)
    with redis.client() as client:
        client.script_flush()
    assert (await limiter.hit("a", RULE)).remaining == 1
    assert limiter.unjudged == 0
    await limiter.close()


async def test_memory_keeps_only_windows_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SetClock()
    limiter = MemoryRateLimiter(clock)
    for number in range(100):
        await limiter.hit(str(number), RULE)
    await clock.passes(61)
    for _ in range(60):
        await limiter.hit("another", RULE)
    assert len(limiter._windows) == 1
    monkeypatch.setattr(memory, "_MOST_SUBJECTS", 10)
    for number in range(100):
        await limiter.hit(str(number), RULE)
    assert len(limiter._windows) == 10


class FixedWindow(MemoryRateLimiter):
    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        part = int(self._clock.monotonic() // rule.seconds)
        return await super().hit(f"{subject} {part}", rule, cost)


class CountsRefusals(MemoryRateLimiter):
    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        verdict = await super().hit(subject, rule, cost)
        if not verdict.allowed:
            self._windows[rule.name, rule.seconds, subject].append(self._clock.monotonic())
        return verdict


class OneForAll(MemoryRateLimiter):
    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        return await super().hit(subject[:0], rule, cost)


class CountsInTwoSteps(MemoryRateLimiter):
    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        counted = len(self._windows.get((rule.name, rule.seconds, subject), ()))
        await asyncio.sleep(0)
        await super().hit(subject, Rule(rule.name, 10**6, rule.seconds), cost)
        left = rule.most - counted - cost
        return Verdict(allowed=left >= 0, remaining=max(left, 0), reset_seconds=60, retry_after=60 * (left < 0))


class IgnoresCost(MemoryRateLimiter):
    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        return await super().hit(subject, rule, min(cost, 1))


class TellsHalf(MemoryRateLimiter):
    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        told = await super().hit(subject, rule, cost)
        return Verdict(told.allowed, told.remaining, told.reset_seconds, told.retry_after // 2)


def _on(broken: Callable[[Clock], RateLimiter], clock: SetClock) -> Callable[[], RateLimiter]:
    return lambda: broken(clock)


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (FixedWindow, "test_the_window_slides"),
        (FixedWindow, "test_it_agrees_with_the_rule_written_down"),
        (CountsRefusals, "test_what_is_refused_is_not_counted"),
        (OneForAll, "test_subjects_and_rules_are_counted_apart"),
        (CountsInTwoSteps, "test_exactly_so_many_are_allowed_at_once"),
        (IgnoresCost, "test_a_cost_counts_whole_or_not_at_all"),
        (TellsHalf, "test_whoever_waits_as_told_is_let_in"),
    ],
)
async def test_the_contract_catches(broken: Callable[[Clock], RateLimiter], caught_by: str) -> None:
    clock = SetClock()
    assert await failures(RateLimiterContract, caught_by, limiter=_on(broken, clock), passes=lambda: clock.passes)
