"""Rate limits of all processes together, counted in Redis by its clock; nothing is refused because Redis is away."""

import hashlib
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import structlog

from application.ports.limits import RateLimiter, Rule, Verdict

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.commands.core import AsyncScript

_ANSWER_SECONDS = 0.5
"""A Redis that does not answer within this is away: every request waits for it."""
_PAUSE_SECONDS = 1.0
"""For so long it is not asked again, so that one request a second pays for its absence, not every one."""
# One list of moments in microseconds for each window. A clock that was set back must not let old ones live longer, so
# the newest moment counts as now. The numbers need their format: Lua would write them with fourteen digits.
_SCRIPT = """
local window, most, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = math.max(clock[1] * 1000000 + clock[2], tonumber(redis.call('LINDEX', KEYS[1], -1) or 0))
local oldest = redis.call('LINDEX', KEYS[1], 0)
while oldest and tonumber(oldest) <= now - window do
  redis.call('LPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], 0)
end
local counted = redis.call('LLEN', KEYS[1])
local over = counted + cost - most
if over > 0 then
  local leaving = over <= counted and redis.call('LINDEX', KEYS[1], over - 1) or now
  return {0, math.max(most - counted, 0), (oldest or now) + window - now, leaving + window - now}
end
for _ = 1, cost do
  redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
end
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
return {1, -over, (oldest or now) + window - now, 0}
"""
_log = structlog.get_logger()


class RedisRateLimiter(RateLimiter):
    """Counts in the Redis at `url`, to which it connects with the first hit. For one event loop.

    `unjudged` is how many hits it had to allow without knowing.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Redis | None = None
        self._script: AsyncScript | None = None
        self._asked_again_at = 0.0
        self._away = False
        self.unjudged = 0

    async def hit(self, subject: str, rule: Rule, cost: int = 1) -> Verdict:
        """Count it in one step, which no other process can get into."""
        if time.monotonic() < self._asked_again_at:
            return self._unknown(rule)
        try:
            answer = await self._ask()(keys=[_key(subject, rule)], args=[rule.seconds * 1_000_000, rule.most, cost])
        except Exception as error:  # noqa: BLE001 - whatever is wrong with Redis, requests must go on
            self._asked_again_at = time.monotonic() + _PAUSE_SECONDS
            if not self._away:
                self._away = True
                _log.warning("limits_unavailable", error_type=type(error).__name__)
            return self._unknown(rule)
        if self._away:
            self._away = False
            _log.warning("limits_available_again", unjudged=self.unjudged)
        allowed, remaining, reset, retry = (int(number) for number in cast("list[int]", answer))
        return Verdict(
            allowed=bool(allowed),
            remaining=remaining,
            reset_seconds=_seconds(reset),
            retry_after=0 if allowed else _seconds(retry),
        )

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client, self._script = self._client, None, None
        if client is not None:
            with suppress(Exception):
                await client.aclose()

    def _ask(self) -> "AsyncScript":
        if self._script is None:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            # A connection that Redis has closed meanwhile is noticed by its use alone, so that one is tried again.
            self._client = Redis.from_url(
                self._url, protocol=2, retry=Retry(NoBackoff(), 1), socket_timeout=_ANSWER_SECONDS,
                socket_connect_timeout=_ANSWER_SECONDS,
            )  # fmt: skip
            self._script = self._client.register_script(_SCRIPT)
        return self._script

    def _unknown(self, rule: Rule) -> Verdict:
        self.unjudged += 1
        return Verdict(allowed=True, remaining=rule.most, reset_seconds=rule.seconds, retry_after=0)


def _key(subject: str, rule: Rule) -> str:
    """Name the window; a digest, since subjects may be of any length and are nobody else's business."""
    return f"colloquy:limit:{rule.name}:{rule.seconds}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"


def _seconds(microseconds: int) -> int:
    return max(-(-microseconds // 1_000_000), 1)
