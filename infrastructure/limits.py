"""Through what requests are counted: Redis where processes share one, else this process's own memory."""

from adapters.limits.memory import MemoryRateLimiter
from adapters.limits.redis import RedisRateLimiter
from application.ports.limits import RateLimiter
from application.ports.system import Clock
from infrastructure.settings import Settings


def make_rate_limiter(settings: Settings, clock: Clock) -> RateLimiter:
    """Return the limiter; nothing is connected yet."""
    return RedisRateLimiter(settings.events_redis) if settings.events_redis else MemoryRateLimiter(clock)
