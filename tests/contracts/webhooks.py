"""What every repository of webhooks promises, endpoints and deliveries, as part of its unit of work."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.system import Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from application.ports.webhooks import StaleWebhook
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
from tests.builders import NOW, OWNER, a_task
from tests.contracts.suite import Suite

_new_id = Uuid7Factory().new
SECOND = timedelta(seconds=1)


def an_endpoint(**changes: Any) -> WebhookEndpoint:
    """An endpoint of OWNER for every event."""
    endpoint = WebhookEndpoint(
        id=EndpointId(_new_id()), owner=OWNER, sealed_url=b"\x00sealed", shown_url="https://example.org/hook",
        secrets=(SealedSecret(sealed=b"\xff\x00", created_at=NOW),), created_at=NOW,
    )  # fmt: skip
    return replace(endpoint, **changes)


def a_delivery(endpoint: WebhookEndpoint, **changes: Any) -> Delivery:
    """A delivery that has been due since NOW."""
    delivery = Delivery(
        id=DeliveryId(_new_id()), endpoint=endpoint.id, task=None, event="msg_1", type=EventType.TEST, body=b"{}",
        created_at=NOW, next_at=NOW,
    )  # fmt: skip
    return replace(delivery, **changes)


def a_full_endpoint(task: TaskId) -> WebhookEndpoint:
    """An endpoint with no field at its default."""
    return an_endpoint(
        secrets=(
            SealedSecret(sealed=b"new", created_at=NOW),
            SealedSecret(sealed=b"\x00", created_at=NOW - SECOND, expires_at=NOW + SECOND),
        ),
        events=(EventType.COMPLETED, EventType.FAILED),
        description="Büro",
        task=task,
        disabled_at=NOW,
        disabled_reason="its receiver answered 410 Gone",
        paused_until=NOW + SECOND,
        version=3,
    )


def a_full_delivery(endpoint: WebhookEndpoint, task: TaskId) -> Delivery:
    """A delivery with no field at its default."""
    return a_delivery(
        endpoint,
        task=task,
        body='{"type":"“x”"}'.encode(),
        next_at=NOW + SECOND,
        state=DeliveryState.FAILED,
        tries=2,
        attempts=(
            DeliveryAttempt(at=NOW, latency=15_000, error="it took too long"),
            DeliveryAttempt(at=NOW, latency=3, status=500, excerpt="a\x00b \ud7ff <p>"),
        ),
        settled_at=NOW,
        version=4,
    )


async def stored(new_uow: NewUnitOfWork, *rows: WebhookEndpoint | Delivery) -> None:
    """Store them and commit."""
    async with new_uow() as uow:
        for row in rows:
            await (uow.webhooks.add(row) if isinstance(row, WebhookEndpoint) else uow.deliveries.add(row))
        await uow.commit()


class WebhookRepositoryContract(Suite):
    """Endpoints."""

    async def test_every_field_comes_back(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        endpoint = a_full_endpoint(task.id)
        plain = an_endpoint()
        kept = {each.name for each in fields(endpoint)} - {"id", "owner", "sealed_url", "shown_url", "created_at"}
        assert all(getattr(endpoint, name) != getattr(plain, name) for name in kept)
        async with new_uow() as uow:
            await uow.tasks.add(task)
            for each in (endpoint, plain):
                await uow.webhooks.add(each)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.webhooks.get(endpoint.id) == endpoint
            assert await uow.webhooks.get(plain.id) == plain
            assert await uow.webhooks.get(EndpointId(_new_id())) is None

    async def test_of_two_who_change_it_at_once_one_is_told(self, new_uow: NewUnitOfWork) -> None:
        endpoint = an_endpoint()
        await stored(new_uow, endpoint)
        async with new_uow() as uow:
            first, second = [await uow.webhooks.get(endpoint.id) for _ in range(2)]
            assert first is not None
            assert second is not None
            first.description = "first"
            await uow.webhooks.save(first)
            with pytest.raises(StaleWebhook):
                await uow.webhooks.save(second)
            first.description = "again"
            await uow.webhooks.save(first)
            assert await uow.webhooks.get(endpoint.id) == first
            with pytest.raises(StaleWebhook):
                await uow.webhooks.save(an_endpoint())

    async def test_an_owner_has_its_own(self, new_uow: NewUnitOfWork) -> None:
        task, other = a_task(), OwnerId(_new_id())
        own, second, foreign = an_endpoint(), an_endpoint(), an_endpoint(owner=other)
        of_task = an_endpoint(task=task.id)
        async with new_uow() as uow:
            await uow.tasks.add(task)
            for endpoint in (own, second, foreign, of_task):
                await uow.webhooks.add(endpoint)
            assert await uow.webhooks.of(OWNER) == [own, second]
            assert await uow.webhooks.of(OWNER, task=task.id) == [of_task]
            assert await uow.webhooks.of(other, task=task.id) == []
            assert await uow.webhooks.of(other) == [foreign]
            second.disable("by its owner", now=NOW)
            await uow.webhooks.save(second)
            assert await uow.webhooks.listening(OWNER, task.id) == [own, of_task]
            assert await uow.webhooks.listening(OWNER, TaskId(_new_id())) == [own]
            assert await uow.webhooks.listening(other, task.id) == [foreign]

    async def test_what_is_removed_takes_its_deliveries_along(self, new_uow: NewUnitOfWork) -> None:
        gone, stays = an_endpoint(), an_endpoint()
        deliveries = [a_delivery(gone), a_delivery(stays)]
        await stored(new_uow, gone, stays, *deliveries)
        async with new_uow() as uow:
            await uow.webhooks.remove(gone.id)
            await uow.webhooks.remove(gone.id)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.webhooks.of(OWNER) == [stays]
            assert [await uow.deliveries.get(each.id) for each in deliveries] == [None, deliveries[1]]


class DeliveryRepositoryContract(Suite):
    """Deliveries."""

    async def test_every_field_comes_back(self, new_uow: NewUnitOfWork) -> None:
        task, endpoint = a_task(), an_endpoint()
        delivery, plain = a_full_delivery(endpoint, task.id), a_delivery(endpoint)
        kept = {each.name for each in fields(delivery)} - {"id", "endpoint", "event", "type", "created_at"}
        assert all(getattr(delivery, name) != getattr(plain, name) for name in kept)
        async with new_uow() as uow:
            await uow.tasks.add(task)
            await uow.commit()
        await stored(new_uow, endpoint, delivery, plain)
        async with new_uow() as uow:
            assert await uow.deliveries.get(delivery.id) == delivery
            assert await uow.deliveries.get(plain.id) == plain

    async def test_of_two_who_claim_it_at_once_one_is_told(self, new_uow: NewUnitOfWork) -> None:
        endpoint = an_endpoint()
        delivery = a_delivery(endpoint)
        await stored(new_uow, endpoint, delivery)
        async with new_uow() as uow:
            first, second = [await uow.deliveries.due(now=NOW, busy=()) for _ in range(2)]
            assert first == second == delivery
            assert first is not None
            assert second is not None
            for each in (first, second):
                each.claim(now=NOW)
            await uow.deliveries.save(first)
            with pytest.raises(StaleWebhook):
                await uow.deliveries.save(second)
            assert await uow.deliveries.due(now=NOW, busy=()) is None

    async def test_the_longest_due_comes_first(self, new_uow: NewUnitOfWork) -> None:
        one, two = an_endpoint(), an_endpoint()
        late, early, future = (a_delivery(one, next_at=NOW + SECOND * n) for n in (-1, -2, 1))
        other = a_delivery(two)
        settled = a_delivery(two, state=DeliveryState.FAILED, next_at=NOW - SECOND * 9)
        await stored(new_uow, one, two, late, early, future, other, settled)
        async with new_uow() as uow:
            assert await uow.deliveries.due(now=NOW, busy=()) == early
            early.claim(now=NOW)
            await uow.deliveries.save(early)
            assert await uow.deliveries.due(now=NOW, busy=()) == late
            assert await uow.deliveries.due(now=NOW, busy={one.id}) == other
            assert await uow.deliveries.due(now=NOW - SECOND * 3, busy=()) is None
            assert await uow.deliveries.due(now=NOW, busy=[one.id, two.id]) is None

    async def test_nothing_is_due_where_nobody_listens(self, new_uow: NewUnitOfWork) -> None:
        disabled = an_endpoint(disabled_at=NOW, disabled_reason="by its owner")
        paused = an_endpoint(paused_until=NOW + SECOND)
        waiting = a_delivery(paused)
        await stored(new_uow, disabled, paused, a_delivery(disabled), waiting)
        async with new_uow() as uow:
            assert await uow.deliveries.due(now=NOW, busy=()) is None
            assert await uow.deliveries.due(now=NOW + SECOND, busy=()) == waiting

    async def test_the_log_goes_page_by_page(self, new_uow: NewUnitOfWork) -> None:
        endpoint, other = an_endpoint(), an_endpoint()
        made = [a_delivery(endpoint, created_at=NOW + SECOND * (n // 2)) for n in range(5)]
        made[3].state = DeliveryState.FAILED
        await stored(new_uow, endpoint, other, *made, a_delivery(other))
        async with new_uow() as uow:
            newest = made[::-1]
            first = await uow.deliveries.page(endpoint.id, state=None, before=None, limit=2)
            assert list(first) == newest[:2]
            place = first[-1].created_at, first[-1].id
            assert list(await uow.deliveries.page(endpoint.id, state=None, before=place, limit=9)) == newest[2:]
            failed = await uow.deliveries.page(endpoint.id, state=DeliveryState.FAILED, before=None, limit=9)
            assert list(failed) == [made[3]]

    async def test_what_is_settled_since_then_comes_oldest_first(self, new_uow: NewUnitOfWork) -> None:
        endpoint = an_endpoint()
        old, *recent, pending = (
            a_delivery(endpoint, created_at=NOW + SECOND * n, state=DeliveryState.DELIVERED) for n in range(4)
        )
        pending.state = DeliveryState.PENDING
        await stored(new_uow, endpoint, *reversed(recent), old, pending)
        async with new_uow() as uow:
            assert list(await uow.deliveries.since(endpoint.id, NOW + SECOND, limit=9)) == recent
            assert list(await uow.deliveries.since(endpoint.id, NOW, limit=1)) == [old]

    async def test_old_ones_are_forgotten(self, new_uow: NewUnitOfWork) -> None:
        endpoint = an_endpoint()
        old, fresh = a_delivery(endpoint, created_at=NOW - SECOND), a_delivery(endpoint)
        await stored(new_uow, endpoint, old, fresh)
        async with new_uow() as uow:
            assert await uow.deliveries.forget(before=NOW) == 1
            assert await uow.deliveries.get(old.id) is None
            assert await uow.deliveries.get(fresh.id) == fresh

    async def test_they_go_with_their_task(self, new_uow: NewUnitOfWork) -> None:
        task, endpoint = a_task(), an_endpoint()
        of_task = an_endpoint(task=task.id)
        rows = [a_delivery(endpoint, task=task.id), a_delivery(of_task, task=task.id), a_delivery(endpoint)]
        async with new_uow() as uow:
            await uow.tasks.add(task)
            await uow.commit()
        await stored(new_uow, endpoint, of_task, *rows)
        async with new_uow() as uow:
            await uow.tasks.delete(task.id)
            await uow.commit()
        async with new_uow() as uow:
            assert [await uow.deliveries.get(row.id) for row in rows] == [None, None, rows[2]]
            assert await uow.webhooks.get(of_task.id) is None
