"""Sending what is due: claimed by one process at a time, sent outside of any transaction, and what came of it noted."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import structlog

from application.origin import NOBODY, serving
from application.ports.metrics import Metrics
from application.ports.persistence import NewUnitOfWork
from application.ports.tracing import Tracer
from application.ports.webhooks import Cipher, Message, Receipt, StaleWebhook, WebhookSender
from application.untraced import UNTRACED
from domain.errors import NotConfigured
from domain.origin import Origin
from domain.webhook import Delivery, DeliveryAttempt, DeliveryState, EndpointId, WebhookEndpoint

_ROUNDS = 8
"""How often others may be faster before it is left to them."""
_OUTCOMES = {
    DeliveryState.DELIVERED: "delivered", DeliveryState.FAILED: "given_up", DeliveryState.PENDING: "failed",
}  # fmt: skip
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery that is this process's to send until its lease is over, and where it goes; `at` is when it began.

    `origin` is the request whose task it tells of.
    """

    delivery: Delivery
    endpoint: WebhookEndpoint
    at: datetime
    origin: Origin = NOBODY


class DeliverWebhook:
    """Sends deliveries, each at least once: a process that dies on the way has sent nothing that counts.

    `jitter` gives a number from 0 to 1, a different one each time.
    """

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        sender: WebhookSender,
        cipher: Cipher,
        jitter: Callable[[], float],
        metrics: Metrics,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._new_uow = new_uow
        self._sender = sender
        self._cipher = cipher
        self._jitter = jitter
        self._metrics = metrics
        self._tracer = tracer

    async def claim(self, busy: Collection[EndpointId] = ()) -> ClaimedDelivery | None:
        """Take the delivery that has been due for longest, but for those to `busy` endpoints; None if there is none."""
        for _ in range(_ROUNDS):
            async with self._new_uow() as uow:
                now = await uow.tasks.now()
                delivery = await uow.deliveries.due(now=now, busy=busy)
                if delivery is None:
                    return None
                endpoint = await uow.webhooks.get(delivery.endpoint)
                task = delivery.task and await uow.tasks.get(delivery.task)
                delivery.claim(now=now)
                try:
                    await uow.deliveries.save(delivery)
                except StaleWebhook:
                    continue
                await uow.commit()
            if endpoint is not None:
                return ClaimedDelivery(
                    delivery=delivery, endpoint=endpoint, at=now, origin=task.origin if task else NOBODY
                )
        return None

    async def send(self, claimed: ClaimedDelivery) -> None:
        """Make one attempt; whatever comes of it stands in the delivery's log."""
        with (
            serving(claimed.origin),
            self._tracer.span("webhook", side="client", parent=claimed.origin.traceparent) as span,
        ):
            receipt = await self._try(claimed)
            span.note(delivery_id=str(claimed.delivery.id), http_response_status_code=receipt.status or 0)
            await self._settle(claimed, receipt)

    async def _try(self, claimed: ClaimedDelivery) -> Receipt:
        try:
            message = self._message(claimed)
        except NotConfigured as error:
            return Receipt(latency=0, error=f"not sent: {error.detail}")
        return await self._sender.send(message)

    async def _settle(self, claimed: ClaimedDelivery, receipt: Receipt) -> None:
        attempt = DeliveryAttempt(
            at=claimed.at, latency=receipt.latency, status=receipt.status, error=receipt.error, excerpt=receipt.excerpt
        )
        await self._note(claimed, attempt, receipt)

    def _message(self, claimed: ClaimedDelivery) -> Message:
        endpoint, delivery = claimed.endpoint, claimed.delivery
        context = str(endpoint.owner)
        return Message(
            url=self._cipher.open(endpoint.sealed_url, context=context).decode(),
            id=delivery.event,
            at=claimed.at,
            body=delivery.body,
            request_id=claimed.origin.request_id,
            secrets=tuple(self._cipher.open(secret.sealed, context=context) for secret in endpoint.signing(claimed.at)),
        )

    async def _note(self, claimed: ClaimedDelivery, attempt: DeliveryAttempt, receipt: Receipt) -> None:
        for _ in range(_ROUNDS):
            async with self._new_uow() as uow:
                now = await uow.tasks.now()
                delivery = await uow.deliveries.get(claimed.delivery.id)
                if delivery is None or delivery.version != claimed.delivery.version:
                    return  # it was deleted, asked for again, or taken over, and what came of it is told there
                delivery.record(attempt, now=now, retry_after=receipt.retry_after, jitter=self._jitter())
                endpoint = await uow.webhooks.get(delivery.endpoint)
                try:
                    await uow.deliveries.save(delivery)
                    if endpoint and endpoint.heard(attempt, retry_after=receipt.retry_after, now=now):
                        await uow.webhooks.save(endpoint)
                except StaleWebhook:
                    continue
                await uow.commit()
            self._metrics.webhook_attempted(_OUTCOMES[delivery.state])
            _tell(delivery, attempt)
            return


def _tell(delivery: Delivery, attempt: DeliveryAttempt) -> None:
    log = _log.bind(
        delivery_id=str(delivery.id), webhook_id=str(delivery.endpoint), status=attempt.status,
        milliseconds=attempt.latency, tries=delivery.tries,
    )  # fmt: skip
    if delivery.state is DeliveryState.DELIVERED:
        log.info("webhook_delivered")
    elif delivery.state is DeliveryState.FAILED:
        log.warning("webhook_given_up", error=attempt.error or None)
    else:
        log.info("webhook_failed", error=attempt.error or None)
