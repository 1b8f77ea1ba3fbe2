"""How slowly a request's body may come; it knows nothing of what is sent."""

import asyncio
import time

from litestar.types import HTTPReceiveMessage, Receive

from domain.errors import ColloquyError
from entrypoints.http.limits import HttpLimits


class RequestTooSlow(ColloquyError):
    """The sender is slower than is allowed."""

    code = "request_timeout"


class Pace:
    """Seconds that a sender may still be waited for: waiting uses them up, and what arrives earns some back.

    The time in which nobody waits, because the disk is busy, is not the sender's. Over the grace this demands the
    least rate, as an average; a short pause costs nothing.
    """

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._left = limits.grace_seconds

    async def receive(self, receive: Receive) -> HTTPReceiveMessage:
        """Wait for the next piece of the body.

        Raises:
            RequestTooSlow: it did not come in time.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._left):
                message: HTTPReceiveMessage = await receive()  # type: ignore[assignment]
        except TimeoutError as error:
            raise RequestTooSlow(
                f"send at least {self._limits.min_bytes_per_second:g} bytes a second, or send it again later"
            ) from error
        size = len(message["body"]) if message["type"] == "http.request" else 0
        earned = size / self._limits.min_bytes_per_second
        self._left = min(self._limits.grace_seconds, self._left - (time.monotonic() - began) + earned)
        return message
