"""What every rate limiter promises. Bindings give `limiter`, and `passes`, which lets seconds pass for it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count

from application.ports.limits import RateLimiter, Rule
from tests.contracts.suite import Suite

RULE = Rule("general", most=3, seconds=60)
Passes = Callable[[float], Awaitable[None]]
_STEP = 5
"""Seconds by which the random rounds go on: real time that a test takes in between must not matter."""


class Window:
    """The rule, written down as plainly as can be: what was counted, and when."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.counted: list[int] = []

    def room(self, now: int) -> int:
        return self.rule.most - sum(now - at < self.rule.seconds for at in self.counted)

    def hit(self, now: int, cost: int) -> bool:
        allowed = cost <= self.room(now)
        self.counted += [now] * (cost * allowed)
        return allowed


class RateLimiterContract(Suite):
    """Counting in a sliding window."""

    async def test_exactly_so_many_are_allowed(self, limiter: RateLimiter) -> None:
        verdicts = [await limiter.hit("a", RULE) for _ in range(5)]
        assert [each.allowed for each in verdicts] == [True, True, True, False, False]
        assert [each.remaining for each in verdicts] == [2, 1, 0, 0, 0]
        assert [each.retry_after for each in verdicts[:3]] == [0, 0, 0]
        assert all(58 <= each.retry_after <= 60 for each in verdicts[3:])
        assert all(58 <= each.reset_seconds <= 60 for each in verdicts)

    async def test_exactly_so_many_are_allowed_at_once(self, limiter: RateLimiter) -> None:
        verdicts = await asyncio.gather(*(limiter.hit("a", Rule("r", most=20, seconds=60)) for _ in range(60)))
        assert sum(each.allowed for each in verdicts) == 20
        assert sorted(each.remaining for each in verdicts if each.allowed) == list(range(20))

    async def test_the_window_slides(self, limiter: RateLimiter, passes: Passes) -> None:
        await limiter.hit("a", RULE)
        await passes(40)
        for _ in range(2):
            await limiter.hit("a", RULE)
        refused = await limiter.hit("a", RULE)
        assert not refused.allowed
        assert 18 <= refused.retry_after <= 20
        await passes(15)
        assert not (await limiter.hit("a", RULE)).allowed, "a fixed window would have begun anew"
        await passes(5)
        again = await limiter.hit("a", RULE)
        assert again.allowed
        assert again.remaining == 0
        assert not (await limiter.hit("a", RULE)).allowed

    async def test_what_is_refused_is_not_counted(self, limiter: RateLimiter, passes: Passes) -> None:
        for _ in range(3):
            await limiter.hit("a", RULE)
        for _ in range(11):
            await passes(5)
            assert not (await limiter.hit("a", RULE)).allowed
        await passes(5)
        assert (await limiter.hit("a", RULE)).remaining == 2

    async def test_subjects_and_rules_are_counted_apart(self, limiter: RateLimiter) -> None:
        for _ in range(3):
            await limiter.hit("a", RULE)
        assert not (await limiter.hit("a", RULE)).allowed
        assert (await limiter.hit("b", RULE)).allowed
        assert (await limiter.hit("", RULE)).allowed
        assert (await limiter.hit("ä" * 5_000, RULE)).allowed
        assert (await limiter.hit("a", Rule("other", most=3, seconds=60))).allowed

    async def test_a_cost_counts_whole_or_not_at_all(self, limiter: RateLimiter) -> None:
        rule = Rule("general", most=10, seconds=60)
        assert (await limiter.hit("a", rule, 7)).remaining == 3
        refused = await limiter.hit("a", rule, 4)
        assert (refused.allowed, refused.remaining) == (False, 3)
        assert (await limiter.hit("a", rule, 3)).allowed
        never = await limiter.hit("b", rule, 11)
        assert (never.allowed, never.remaining) == (False, 10)
        assert 1 <= never.retry_after <= 60

    async def test_whoever_waits_as_told_is_let_in(self, limiter: RateLimiter, passes: Passes) -> None:
        rule = Rule("general", most=5, seconds=60)
        for wait in (0, 10, 10):
            await passes(wait)
            await limiter.hit("a", rule, 2 if wait else 1)
        refused = await limiter.hit("a", rule, 3)
        assert not refused.allowed
        await passes(refused.retry_after)
        assert (await limiter.hit("a", rule, 3)).allowed

    async def test_it_agrees_with_the_rule_written_down(self, limiter: RateLimiter, passes: Passes) -> None:
        dice = random.Random(10)
        for number in range(12):
            rule = Rule("general", most=dice.randint(1, 6), seconds=60)
            window, now = Window(rule), 0
            for step in count():
                cost = dice.choice((1, 1, 1, 2, 3))
                expected = window.hit(now, cost)
                verdict = await limiter.hit(f"subject {number}", rule, cost)
                assert (verdict.allowed, verdict.remaining) == (expected, window.room(now)), (number, step)
                if step == 25:
                    break
                wait = dice.choice((0, 0, 1, 2, 5, 11, 12)) * _STEP
                now += wait
                await passes(wait)

    async def test_it_can_be_used_after_it_was_closed(self, limiter: RateLimiter) -> None:
        await limiter.hit("a", RULE)
        await limiter.close()
        assert (await limiter.hit("b", RULE)).allowed
