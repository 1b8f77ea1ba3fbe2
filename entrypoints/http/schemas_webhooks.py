"""Webhooks over the wire: endpoints and deliveries as the API shows them, and the bodies that receivers get."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.egress import MAX_URL
from domain.task import TaskKind, TaskStatus
from domain.webhook import DeliveryState, EventType

_ID = "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"
_Url = Annotated[
    str,
    Meta(
        min_length=1, max_length=MAX_URL, description="`https://…`, at a public address.",
        examples=["https://example.org/hooks/colloquy"],
    ),
]  # fmt: skip
_Events = Annotated[list[EventType], Meta(max_length=16, description="Which events are told; none means all of them.")]
_Description = Annotated[str, Meta(max_length=200, description="For showing.", examples=["Our archive"])]


class WebhookRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where events are to be sent."""

    url: _Url
    events: _Events = []
    description: _Description = ""


class WebhookChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed of a webhook; what is left out stays."""

    url: _Url | UnsetType = UNSET
    events: _Events | UnsetType = UNSET
    description: _Description | UnsetType = UNSET
    enabled: Annotated[bool, Meta(description="Enabling it sends what has waited.")] | UnsetType = UNSET


class Webhook(Struct, frozen=True, kw_only=True):
    """A registered webhook."""

    id: Annotated[UUID, Meta(examples=[_ID])]
    url: Annotated[
        str,
        Meta(description="Without what lets anybody in.", examples=["https://example.org/hooks/colloquy?token=***"]),
    ]
    events: _Events
    description: _Description
    task_id: Annotated[UUID | None, Meta(description="The only task that it is told of.", examples=[None])]
    enabled: Annotated[bool, Meta(examples=[True])]
    disabled_reason: Annotated[str | None, Meta(examples=[None])]
    paused_until: Annotated[
        datetime | None, Meta(description="Its receiver asked for silence until then.", examples=[None])
    ]
    created_at: datetime
    old_secret_signs_until: Annotated[
        datetime | None, Meta(description="After a rotation: until then both secrets sign.", examples=[None])
    ]


class WebhookWithSecret(Webhook, frozen=True, kw_only=True):
    """A webhook with its new secret, which is shown this once."""

    secret: Annotated[str, Meta(description="What receivers verify signatures with.", examples=["whsec_…"])]


class WebhookList(Struct, frozen=True, kw_only=True):
    """An owner's webhooks, the oldest first."""

    webhooks: list[Webhook]


class AttemptSummary(Struct, frozen=True, kw_only=True):
    """One try."""

    at: datetime
    status: Annotated[int | None, Meta(description="What the receiver answered; null if nothing.", examples=[200])]
    latency_ms: Annotated[int, Meta(examples=[84])]
    error: Annotated[str | None, Meta(description="Why there was no answer.", examples=[None])]
    response: Annotated[str, Meta(description="The first 4 KiB of the answer.", examples=["ok"])]


class DeliverySummary(Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook."""

    id: Annotated[UUID, Meta(examples=[_ID])]
    event_id: Annotated[str, Meta(description="The header `webhook-id`, the same in every attempt.")]
    type: Annotated[EventType, Meta(examples=["transcription.completed"])]
    task_id: Annotated[UUID | None, Meta(examples=[_ID])]
    state: Annotated[DeliveryState, Meta(examples=["delivered"])]
    created_at: datetime
    next_attempt_at: Annotated[datetime | None, Meta(description="While it is pending.", examples=[None])]
    settled_at: Annotated[datetime | None, Meta(description="Since when it is delivered or given up.")]
    attempts: Annotated[list[AttemptSummary], Meta(description="The latest attempts, the oldest first.")]


class DeliveryPage(Struct, frozen=True, kw_only=True):
    """One page of deliveries, the newest first."""

    deliveries: list[DeliverySummary]
    next_cursor: Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null at the end.")]


class Replayed(Struct, frozen=True, kw_only=True):
    """What is sent again."""

    count: Annotated[int, Meta(description="How many deliveries.", examples=[12])]


class EventLinks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Paths of this API, where the rest is to be had."""

    task: Annotated[str, Meta(examples=[f"/api/v1/tasks/{_ID}"])]
    result: Annotated[str | UnsetType, Meta(examples=[f"/api/v1/result/{_ID}"])] = UNSET


class EventError(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a task ended in error."""

    code: Annotated[str, Meta(examples=["not_media"])]
    detail: Annotated[str, Meta(examples=["the file is neither audio nor video"])]


class TaskFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task, as an event tells of it: never what was said in it."""

    id: Annotated[UUID, Meta(examples=[_ID])]
    status: Annotated[TaskStatus, Meta(examples=["done"])]
    kind: Annotated[TaskKind, Meta(examples=["transcribe"])]
    parent: Annotated[UUID | None, Meta(examples=[None])]
    revision: Annotated[int, Meta(examples=[1])]
    language: Annotated[str | None, Meta(examples=["en"])]
    duration_seconds: Annotated[float | None, Meta(examples=[281.4])]
    error: Annotated[EventError | None, Meta(examples=[None])]
    links: EventLinks


class RevisionFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new revision of a task's transcript."""

    id: Annotated[UUID, Meta(description="The task's.", examples=[_ID])]
    revision: Annotated[int, Meta(examples=[2])]
    made_by: Annotated[UUID, Meta(description="The task that made it.", examples=[_ID])]
    links: EventLinks


class TrialFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a test tells."""

    id: Annotated[UUID, Meta(description="The webhook's.", examples=[_ID])]
    message: Annotated[str, Meta(examples=["This is a test."])]


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every body has."""

    type: EventType
    timestamp: Annotated[datetime, Meta(description="When it happened; attempts have times of their own.")]


class TaskEvent(Event, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task was queued, begun, or has ended."""

    data: TaskFacts


class RevisionEvent(Event, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transcript has a new revision."""

    data: RevisionFacts


class TrialEvent(Event, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody pressed the test button."""

    data: TrialFacts


EVENTS: Mapping[EventType, type[Event]] = {
    **dict.fromkeys(
        (EventType.QUEUED, EventType.STARTED, EventType.COMPLETED, EventType.FAILED, EventType.CANCELLED), TaskEvent
    ),
    EventType.REVISED: RevisionEvent,
    EventType.TEST: TrialEvent,
}
"""The body of each event; for the description's `webhooks`."""
