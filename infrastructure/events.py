"""Through what progress events go, as `EVENTS_URL` says."""

from adapters.events.in_process import InProcessEvents
from adapters.events.redis import RedisEvents
from application.ports.notify import EventPublisher
from infrastructure.settings import Settings


def make_events(settings: Settings) -> EventPublisher:
    """Return the publisher; nothing is connected yet."""
    return RedisEvents(settings.events_redis) if settings.events_redis else InProcessEvents()
