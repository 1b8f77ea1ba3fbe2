"""Webhook endpoints and their deliveries in their tables."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from msgspec import json
from sqlalchemy import CursorResult, Executable, Row, or_, select, tuple_

from adapters.persistence.tables_webhooks import deliveries, webhooks
from application.ports.webhooks import DeliveryRepository, StaleWebhook, WebhookRepository
from domain.task import OwnerId, TaskId
from domain.webhook import (
    Delivery,
    DeliveryAttempt,
    DeliveryId,
    DeliveryState,
    EndpointId,
    EventType,
    SealedSecret,
    WebhookEndpoint,
)

Run = Callable[[Executable], Awaitable[CursorResult[Any]]]


def endpoint_to_row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Lay an endpoint out in columns."""
    return {
        "id": endpoint.id,
        "owner": endpoint.owner,
        "task_id": endpoint.task,
        "sealed_url": endpoint.sealed_url,
        "shown_url": endpoint.shown_url,
        "secrets": json.encode(endpoint.secrets).decode(),
        "events": json.encode(endpoint.events).decode(),
        "description": endpoint.description,
        "created_at": endpoint.created_at,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
        "paused_until": endpoint.paused_until,
        "version": endpoint.version,
    }


def endpoint_from_row(row: Row[Any]) -> WebhookEndpoint:
    """Put an endpoint together again."""
    return WebhookEndpoint(
        id=row.id,
        owner=row.owner,
        task=row.task_id,
        sealed_url=row.sealed_url,
        shown_url=row.shown_url,
        secrets=json.decode(row.secrets, type=tuple[SealedSecret, ...]),
        events=json.decode(row.events, type=tuple[EventType, ...]),
        description=row.description,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        paused_until=row.paused_until,
        version=row.version,
    )


def delivery_to_row(delivery: Delivery) -> dict[str, Any]:
    """Lay a delivery out in columns; a receiver's words go as JSON, which has an escape for every character."""
    return {
        "id": delivery.id,
        "webhook_id": delivery.endpoint,
        "task_id": delivery.task,
        "event": delivery.event,
        "type": delivery.type.value,
        "body": delivery.body,
        "created_at": delivery.created_at,
        "next_at": delivery.next_at,
        "state": delivery.state.value,
        "tries": delivery.tries,
        "attempts": json.encode(delivery.attempts).decode(),
        "settled_at": delivery.settled_at,
        "version": delivery.version,
    }


def delivery_from_row(row: Row[Any]) -> Delivery:
    """Put a delivery together again."""
    return Delivery(
        id=row.id,
        endpoint=row.webhook_id,
        task=row.task_id,
        event=row.event,
        type=EventType(row.type),
        body=row.body,
        created_at=row.created_at,
        next_at=row.next_at,
        state=DeliveryState(row.state),
        tries=row.tries,
        attempts=json.decode(row.attempts, type=tuple[DeliveryAttempt, ...]),
        settled_at=row.settled_at,
        version=row.version,
    )


class SqlWebhooks(WebhookRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, endpoint: WebhookEndpoint) -> None:
        """Store a new one."""
        await self._run(webhooks.insert().values(endpoint_to_row(endpoint)))

    async def get(self, endpoint_id: EndpointId) -> WebhookEndpoint | None:
        """Return the endpoint, or None."""
        row = (await self._run(select(webhooks).where(webhooks.c.id == endpoint_id))).one_or_none()
        return None if row is None else endpoint_from_row(row)

    async def save(self, endpoint: WebhookEndpoint) -> None:
        """Store a change over the version that was read."""
        current = (webhooks.c.id == endpoint.id) & (webhooks.c.version == endpoint.version)
        values = endpoint_to_row(endpoint) | {"version": endpoint.version + 1}
        if (await self._run(webhooks.update().where(current).values(values))).rowcount == 0:
            raise StaleWebhook
        endpoint.version += 1

    async def remove(self, endpoint_id: EndpointId) -> None:
        """Remove the row; its deliveries go by the foreign key."""
        await self._run(webhooks.delete().where(webhooks.c.id == endpoint_id))

    async def of(self, owner: OwnerId, *, task: TaskId | None = None) -> Sequence[WebhookEndpoint]:
        """Return the owner's endpoints by id, which is by age."""
        own = select(webhooks).where(webhooks.c.owner == owner, webhooks.c.task_id.is_not_distinct_from(task))
        return [endpoint_from_row(row) for row in await self._run(own.order_by(webhooks.c.id))]

    async def listening(self, owner: OwnerId, task: TaskId) -> Sequence[WebhookEndpoint]:
        """Return the enabled endpoints by id, which is by age."""
        of_task = or_(webhooks.c.task_id.is_(None), webhooks.c.task_id == task)
        own = select(webhooks).where(webhooks.c.owner == owner, of_task, webhooks.c.disabled_at.is_(None))
        return [endpoint_from_row(row) for row in await self._run(own.order_by(webhooks.c.id))]


class SqlDeliveries(DeliveryRepository):
    """Runs its statements by `run`, in somebody's transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def add(self, delivery: Delivery) -> None:
        """Store a new one."""
        await self._run(deliveries.insert().values(delivery_to_row(delivery)))

    async def get(self, delivery_id: DeliveryId) -> Delivery | None:
        """Return the delivery, or None."""
        row = (await self._run(select(deliveries).where(deliveries.c.id == delivery_id))).one_or_none()
        return None if row is None else delivery_from_row(row)

    async def save(self, delivery: Delivery) -> None:
        """Store a change over the version that was read."""
        current = (deliveries.c.id == delivery.id) & (deliveries.c.version == delivery.version)
        values = delivery_to_row(delivery) | {"version": delivery.version + 1}
        if (await self._run(deliveries.update().where(current).values(values))).rowcount == 0:
            raise StaleWebhook
        delivery.version += 1

    async def due(self, *, now: datetime, busy: Collection[EndpointId]) -> Delivery | None:
        """Return the first that is due, in the order of its index."""
        ready = or_(webhooks.c.paused_until.is_(None), webhooks.c.paused_until <= now)
        first = (
            select(deliveries)
            .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
            .where(deliveries.c.state == DeliveryState.PENDING.value, deliveries.c.next_at <= now)
            .where(webhooks.c.disabled_at.is_(None), ready, deliveries.c.webhook_id.not_in(busy))
            .order_by(deliveries.c.next_at, deliveries.c.id)
            .limit(1)
        )
        row = (await self._run(first)).one_or_none()
        return None if row is None else delivery_from_row(row)

    async def page(
        self,
        endpoint_id: EndpointId,
        *,
        state: DeliveryState | None,
        before: tuple[datetime, DeliveryId] | None,
        limit: int,
    ) -> Sequence[Delivery]:
        """Return the endpoint's deliveries, newest first."""
        place = (deliveries.c.created_at, deliveries.c.id)
        page = select(deliveries).where(deliveries.c.webhook_id == endpoint_id)
        if state is not None:
            page = page.where(deliveries.c.state == state.value)
        if before is not None:
            page = page.where(tuple_(*place) < tuple_(*before))
        rows = await self._run(page.order_by(*(each.desc() for each in place)).limit(limit))
        return [delivery_from_row(row) for row in rows]

    async def since(self, endpoint_id: EndpointId, at: datetime, *, limit: int) -> Sequence[Delivery]:
        """Return what is settled, oldest first."""
        settled = select(deliveries).where(
            deliveries.c.webhook_id == endpoint_id,
            deliveries.c.created_at >= at,
            deliveries.c.state != DeliveryState.PENDING.value,
        )
        rows = await self._run(settled.order_by(deliveries.c.created_at, deliveries.c.id).limit(limit))
        return [delivery_from_row(row) for row in rows]

    async def forget(self, *, before: datetime) -> int:
        """Remove old rows."""
        return (await self._run(deliveries.delete().where(deliveries.c.created_at < before))).rowcount
