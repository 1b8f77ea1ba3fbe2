"""Webhook endpoints and their deliveries as JSON in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from msgspec import json

from application.ports.webhooks import DeliveryRepository, StaleWebhook, WebhookRepository
from domain.task import OwnerId, TaskId
from domain.webhook import Delivery, DeliveryId, DeliveryState, EndpointId, WebhookEndpoint

Rows = dict[UUID, bytes]


class MemoryWebhooks(WebhookRepository):
    """Keeps them in `rows`, somebody's copy of what is stored; `deliveries` go with their endpoint."""

    def __init__(self, rows: Rows, deliveries: Rows) -> None:
        self._rows = rows
        self._deliveries = deliveries

    async def add(self, endpoint: WebhookEndpoint) -> None:
        """Store a new one."""
        self._rows[endpoint.id] = json.encode(endpoint)

    async def get(self, endpoint_id: EndpointId) -> WebhookEndpoint | None:
        """Return the endpoint, or None."""
        row = self._rows.get(endpoint_id)
        return None if row is None else json.decode(row, type=WebhookEndpoint)

    async def save(self, endpoint: WebhookEndpoint) -> None:
        """Store a change over the version that was read."""
        stored = await self.get(endpoint.id)
        if stored is None or stored.version != endpoint.version:
            raise StaleWebhook
        self._rows[endpoint.id] = json.encode(replace(endpoint, version=endpoint.version + 1))
        endpoint.version += 1

    async def remove(self, endpoint_id: EndpointId) -> None:
        """Remove the endpoint and its deliveries."""
        self._rows.pop(endpoint_id, None)
        for delivery in all_deliveries(self._deliveries):
            if delivery.endpoint == endpoint_id:
                del self._deliveries[delivery.id]

    async def of(self, owner: OwnerId, *, task: TaskId | None = None) -> Sequence[WebhookEndpoint]:
        """Return the owner's endpoints by id, which is by age."""
        own = [each for each in all_endpoints(self._rows) if each.owner == owner and each.task == task]
        return sorted(own, key=lambda endpoint: endpoint.id)

    async def listening(self, owner: OwnerId, task: TaskId) -> Sequence[WebhookEndpoint]:
        """Return the enabled endpoints by id, which is by age."""
        found = [*await self.of(owner), *await self.of(owner, task=task)]
        return sorted((each for each in found if each.enabled), key=lambda endpoint: endpoint.id)


class MemoryDeliveries(DeliveryRepository):
    """Keeps them in `rows`, somebody's copy of what is stored, for the endpoints that are kept in `endpoints`."""

    def __init__(self, rows: Rows, endpoints: Rows) -> None:
        self._rows = rows
        self._endpoints = endpoints

    async def add(self, delivery: Delivery) -> None:
        """Store a new one."""
        self._rows[delivery.id] = json.encode(delivery)

    async def get(self, delivery_id: DeliveryId) -> Delivery | None:
        """Return the delivery, or None."""
        row = self._rows.get(delivery_id)
        return None if row is None else json.decode(row, type=Delivery)

    async def save(self, delivery: Delivery) -> None:
        """Store a change over the version that was read."""
        stored = await self.get(delivery.id)
        if stored is None or stored.version != delivery.version:
            raise StaleWebhook
        self._rows[delivery.id] = json.encode(replace(delivery, version=delivery.version + 1))
        delivery.version += 1

    async def due(self, *, now: datetime, busy: Collection[EndpointId]) -> Delivery | None:
        """Return the first that is due."""
        ready = {
            each.id
            for each in all_endpoints(self._endpoints)
            if each.enabled and (each.paused_until is None or each.paused_until <= now) and each.id not in busy
        }
        due = [
            (each.next_at, each.id, each)
            for each in all_deliveries(self._rows)
            if each.state is DeliveryState.PENDING and each.next_at <= now and each.endpoint in ready
        ]
        return min(due, default=(None, None, None))[2]

    async def page(
        self,
        endpoint_id: EndpointId,
        *,
        state: DeliveryState | None,
        before: tuple[datetime, DeliveryId] | None,
        limit: int,
    ) -> Sequence[Delivery]:
        """Return the endpoint's deliveries, newest first."""
        found = [
            each
            for each in self._of(endpoint_id)
            if state in {None, each.state} and (before is None or (each.created_at, each.id) < before)
        ]
        return found[::-1][:limit]

    async def since(self, endpoint_id: EndpointId, at: datetime, *, limit: int) -> Sequence[Delivery]:
        """Return what is settled, oldest first."""
        own = self._of(endpoint_id)
        return [each for each in own if each.created_at >= at and each.state is not DeliveryState.PENDING][:limit]

    async def forget(self, *, before: datetime) -> int:
        """Remove old ones."""
        old = [each.id for each in all_deliveries(self._rows) if each.created_at < before]
        for delivery_id in old:
            del self._rows[delivery_id]
        return len(old)

    def _of(self, endpoint_id: EndpointId) -> list[Delivery]:
        own = [each for each in all_deliveries(self._rows) if each.endpoint == endpoint_id]
        return sorted(own, key=lambda delivery: (delivery.created_at, delivery.id))


def forget_task(endpoints: Rows, deliveries: Rows, task_id: TaskId) -> None:
    """Remove what belongs to a task that is deleted, as foreign keys do."""
    gone = {each.id for each in all_endpoints(endpoints) if each.task == task_id}
    for endpoint_id in gone:
        del endpoints[endpoint_id]
    for delivery in all_deliveries(deliveries):
        if delivery.task == task_id or delivery.endpoint in gone:
            del deliveries[delivery.id]


def all_endpoints(rows: Rows) -> list[WebhookEndpoint]:
    """Return every endpoint."""
    return [json.decode(row, type=WebhookEndpoint) for row in rows.values()]


def all_deliveries(rows: Rows) -> list[Delivery]:
    """Return every delivery."""
    return [json.decode(row, type=Delivery) for row in rows.values()]
