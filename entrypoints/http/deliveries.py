"""What became of a webhook's deliveries: their log, sending them again, and the test button."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter, QueryParameter

from application.replay_deliveries import ReplayDeliveries
from domain.access import Caller
from domain.webhook import Delivery, DeliveryId, DeliveryState, EndpointId
from entrypoints.http.errors import InvalidFields
from entrypoints.http.instants import Instant, instant
from entrypoints.http.openapi import problems
from entrypoints.http.schemas_webhooks import AttemptSummary, DeliveryPage, DeliverySummary, Replayed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT_BYTES = 8


@get(
    "/webhooks/{webhook_id:uuid}/deliveries",
    summary="What was sent to a webhook",
    response_description="One page.",
    tags=["Webhooks"],
    responses=problems("not_found", "invalid_options"),
)
async def list_deliveries(
    webhook_id: FromPath[UUID],
    *,
    caller: NamedDependency[Caller],
    replays: NamedDependency[ReplayDeliveries],
    only: Annotated[DeliveryState | None, QueryParameter(name="state", description="Only those that stand so.")] = None,
    limit: Annotated[int, Parameter(ge=1, le=100, description="How many at most.")] = 20,
    cursor: Annotated[str, Parameter(max_length=64, description="`next_cursor` of the page before.")] = "",
) -> DeliveryPage:
    """Walk the log page by page, newest first. It goes back 30 days; what tells of a deleted task is gone with it."""
    before = _decode(cursor) if cursor else None
    found = await replays.log(caller.owner, EndpointId(webhook_id), state=only, before=before, limit=limit + 1)
    page = found[:limit]
    return DeliveryPage(
        deliveries=[_shown(delivery) for delivery in page],
        next_cursor=_encode(page[-1]) if len(found) > limit else None,
    )


@post(
    "/webhooks/{webhook_id:uuid}/test",
    status_code=202,
    summary="Try a webhook out",
    response_description="The delivery, which is on its way.",
    tags=["Webhooks"],
    responses=problems("not_found", "webhook_disabled"),
)
async def test_webhook(
    webhook_id: FromPath[UUID], caller: NamedDependency[Caller], replays: NamedDependency[ReplayDeliveries]
) -> DeliverySummary:
    """Send it `webhook.test`, whatever events it is for; look at its deliveries for what came of it."""
    return _shown(await replays.test(caller.owner, EndpointId(webhook_id)))


@post(
    "/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/replay",
    status_code=202,
    summary="Send a delivery again",
    response_description="The delivery, which is on its way.",
    tags=["Webhooks"],
    responses=problems("not_found"),
)
async def replay_delivery(
    webhook_id: FromPath[UUID],
    delivery_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    replays: NamedDependency[ReplayDeliveries],
) -> DeliverySummary:
    """Begin anew with all its attempts, whatever became of it; `webhook-id` and body are the same as before."""
    return _shown(await replays.one(caller.owner, EndpointId(webhook_id), DeliveryId(delivery_id)))


@post(
    "/webhooks/{webhook_id:uuid}/replay",
    status_code=202,
    summary="Send everything since then again",
    response_description="How much that is.",
    tags=["Webhooks"],
    responses=problems("not_found", "invalid_options"),
)
async def replay_since(
    webhook_id: FromPath[UUID],
    since: Instant,
    caller: NamedDependency[Caller],
    replays: NamedDependency[ReplayDeliveries],
) -> Replayed:
    """After an outage of the receiver, say: what was delivered is sent again too, what still waits is left alone."""
    start = instant("since", since)
    return Replayed(count=await replays.since(caller.owner, EndpointId(webhook_id), start))


def _shown(delivery: Delivery) -> DeliverySummary:
    return DeliverySummary(
        id=delivery.id,
        event_id=delivery.event,
        type=delivery.type,
        task_id=delivery.task,
        state=delivery.state,
        created_at=delivery.created_at,
        next_attempt_at=delivery.next_at if delivery.state is DeliveryState.PENDING else None,
        settled_at=delivery.settled_at,
        attempts=[
            AttemptSummary(
                at=attempt.at,
                status=attempt.status,
                latency_ms=attempt.latency,
                error=attempt.error or None,
                response=attempt.excerpt,
            )
            for attempt in delivery.attempts
        ],
    )


def _encode(delivery: Delivery) -> str:
    place = (delivery.created_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(place.to_bytes(_INSTANT_BYTES) + delivery.id.bytes).decode()


def _decode(cursor: str) -> tuple[datetime, DeliveryId]:
    try:
        place = base64.urlsafe_b64decode(cursor)
        at = _EPOCH + timedelta(microseconds=int.from_bytes(place[:_INSTANT_BYTES]))
        return at, DeliveryId(UUID(bytes=place[_INSTANT_BYTES:]))
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidFields({"cursor": "cursor: take it from `next_cursor`"}) from error
