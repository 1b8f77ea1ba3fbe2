"""What became of an endpoint's deliveries, sending them again, and trying the endpoint out."""

from collections.abc import Sequence
from datetime import datetime

from application.announce_task import delivery_of, event_body
from application.manage_webhooks import owned_endpoint
from application.ports.persistence import NewUnitOfWork
from application.ports.queue import Job, TaskQueue
from application.ports.system import IdFactory
from application.ports.webhooks import StaleWebhook
from domain.errors import WebhookNotFound, WrongState
from domain.task import OwnerId
from domain.webhook import Delivery, DeliveryId, DeliveryState, EndpointId, EventType

_BATCH = 100


class ReplayDeliveries:
    """Puts deliveries back to the beginning of the schedule, under the same id, and rings for whoever sends them."""

    def __init__(self, *, new_uow: NewUnitOfWork, queue: TaskQueue, ids: IdFactory) -> None:
        self._new_uow = new_uow
        self._queue = queue
        self._ids = ids

    async def log(
        self,
        owner: OwnerId,
        endpoint_id: EndpointId,
        *,
        state: DeliveryState | None,
        before: tuple[datetime, DeliveryId] | None,
        limit: int,
    ) -> Sequence[Delivery]:
        """Return a page of the endpoint's deliveries, newest first.

        Raises:
            WebhookNotFound: there is no such endpoint.
        """
        async with self._new_uow() as uow:
            await owned_endpoint(uow, owner, endpoint_id)
            return await uow.deliveries.page(endpoint_id, state=state, before=before, limit=limit)

    async def test(self, owner: OwnerId, endpoint_id: EndpointId) -> Delivery:
        """Send the endpoint an event that means nothing.

        Raises:
            WebhookNotFound: there is no such endpoint.
            WrongState: `webhook_disabled`.
        """
        async with self._new_uow() as uow:
            endpoint = await owned_endpoint(uow, owner, endpoint_id)
            if not endpoint.enabled:
                raise WrongState("the webhook is disabled: enable it first", code="webhook_disabled")
            now = await uow.tasks.now()
            body = event_body(EventType.TEST, now, {"id": endpoint_id, "message": "This is a test."})
            name = f"msg_{self._ids.new().hex}"
            delivery = delivery_of(endpoint, name, EventType.TEST, body, now=now, task=None)
            await uow.deliveries.add(delivery)
            await uow.commit()
        await self._queue.enqueue(Job.DELIVER_WEBHOOK, delivery.id)
        return delivery

    async def one(self, owner: OwnerId, endpoint_id: EndpointId, delivery_id: DeliveryId) -> Delivery:
        """Send one delivery again, whatever became of it.

        Raises:
            WebhookNotFound: there is no such endpoint, or no such delivery to it.
        """
        while True:
            async with self._new_uow() as uow:
                await owned_endpoint(uow, owner, endpoint_id)
                delivery = await uow.deliveries.get(delivery_id)
                if delivery is None or delivery.endpoint != endpoint_id:
                    raise WebhookNotFound(f"there is no delivery {delivery_id}")
                delivery.replay(now=await uow.tasks.now())
                try:
                    await uow.deliveries.save(delivery)
                except StaleWebhook:
                    continue
                await uow.commit()
            await self._queue.enqueue(Job.DELIVER_WEBHOOK, delivery_id)
            return delivery

    async def since(self, owner: OwnerId, endpoint_id: EndpointId, at: datetime) -> int:
        """Send everything again that was made since then and waits no longer; return how many that is.

        Raises:
            WebhookNotFound: there is no such endpoint.
        """
        count = 0
        while settled := await self._replay(owner, endpoint_id, at):
            count += settled
        await self._queue.enqueue(Job.DELIVER_WEBHOOK, endpoint_id)
        return count

    async def _replay(self, owner: OwnerId, endpoint_id: EndpointId, at: datetime) -> int:
        async with self._new_uow() as uow:
            await owned_endpoint(uow, owner, endpoint_id)
            now = await uow.tasks.now()
            settled = await uow.deliveries.since(endpoint_id, at, limit=_BATCH)
            for delivery in settled:
                delivery.replay(now=now)
                await uow.deliveries.save(delivery)
            await uow.commit()
            return len(settled)
