"""Sending webhooks over HTTP by way of the egress filter, signed by the library that receivers verify with.

Nothing of a receiver's answer is trusted: no redirect is followed, and no more than its beginning is read.
"""

import asyncio
import time
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from adapters.egress import Egress
from application.ports.webhooks import Message, Receipt, WebhookSender
from domain.egress import Destination
from domain.errors import UrlNotAllowed
from domain.webhook import EXCERPT

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 15.0
_RESOLVE_SECONDS = 5.0
_EXCERPT_SECONDS = 2.0
"""How long the beginning of an answer is waited for; its status has come by then, and says all that matters."""


class HttpxWebhookSender(WebhookSender):
    """Sends each message over a connection of its own."""

    def __init__(self, egress: Egress, *, allow_http: bool = False) -> None:
        self._egress = egress
        self._allow_http = allow_http

    async def judge(self, url: str) -> None:
        """Judge the address and what its host resolves to now; a host that does not resolve may do so later."""
        place = self._judged(url)
        with suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(_RESOLVE_SECONDS):
                await self._egress.addresses(place.host, place.port)

    async def send(self, message: Message) -> Receipt:
        """Send once."""
        import httpx

        began = time.monotonic()

        def receipt(error: str) -> Receipt:
            return Receipt(latency=_since(began), error=error)

        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                self._judged(message.url)
                return await self._exchange(message, began)
        except UrlNotAllowed as error:
            return receipt(f"not sent: {error.detail}")
        except (TimeoutError, httpx.TimeoutException):
            return receipt(f"no answer within {TIMEOUT_SECONDS:.0f} seconds")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return receipt(_explained(error))

    def _judged(self, url: str) -> Destination:
        place = self._egress.policy.destination(url)
        if place.scheme != "https" and not self._allow_http:
            raise UrlNotAllowed("webhooks are sent to https:// only")
        return place

    async def _exchange(self, message: Message, began: float) -> Receipt:
        import httpx

        async with (
            self._egress.client(timeout=httpx.Timeout(TIMEOUT_SECONDS)) as client,
            client.stream("POST", message.url, content=message.body, headers=signed_headers(message)) as answer,
        ):
            latency = _since(began)
            excerpt = await _beginning(answer)
            return Receipt(
                latency=latency,
                status=answer.status_code,
                excerpt=excerpt.decode(errors="replace"),
                retry_after=retry_after(answer.headers.get("retry-after", ""), message.at),
            )


def signed_headers(message: Message) -> dict[str, str]:
    """Return what goes with the message: who it is, when it was sent, and a signature by each secret."""
    from standardwebhooks import Webhook

    text = message.body.decode()
    return {
        "content-type": "application/json",
        "user-agent": "Colloquy",
        "accept-encoding": "identity",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(message.at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message.id, message.at, text) for secret in message.secrets),
        **({"x-request-id": message.request_id} if message.request_id else {}),
    }


def retry_after(text: str, now: datetime) -> timedelta | None:
    """Read `Retry-After`, in seconds or as a date; None for what is neither, or past."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=int(text[:9]))
    else:
        try:
            wait = parsedate_to_datetime(text) - now
        except (TypeError, ValueError):
            return None
    return wait if wait > timedelta() else None


async def _beginning(answer: "httpx.Response") -> bytes:
    """Return what comes first of the body, as it came over the wire; whatever goes wrong with it ends it."""
    import httpx

    read = bytearray()
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_EXCERPT_SECONDS):
            async for chunk in answer.aiter_raw():
                read += chunk
                if len(read) >= EXCERPT:
                    break
    return bytes(read[:EXCERPT])


def _explained(error: Exception) -> str:
    """Say what went wrong in words that name no address inside."""
    import httpx

    trouble: BaseException | None = error
    while trouble is not None:
        if type(trouble).__module__ == "ssl" or "CERTIFICATE" in str(trouble):
            return "the connection could not be secured: the receiver's certificate or TLS is not accepted"
        trouble = trouble.__cause__ or trouble.__context__
    match error:
        case httpx.ConnectError():
            return "the receiver cannot be reached"
        case httpx.InvalidURL():
            return "the address cannot be read"
        case _:
            return "the connection broke before an answer came"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
