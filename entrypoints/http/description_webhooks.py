"""What webhooks send, as OpenAPI describes it: one request for each kind of event, shaped by Standard Webhooks."""

from typing import Any

from domain.task import TaskKind, TaskStatus
from domain.webhook import EventType

Json = dict[str, Any]
_ID = "0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e"
_HEADERS = {
    "webhook-id": ("The event's id; the same in every attempt, to know a repetition by.", "msg_2f1e0c9a5b7d4c3e"),
    "webhook-timestamp": ("When this attempt was made, in seconds since 1970.", "1769851800"),
    "webhook-signature": (
        "One signature for each secret that is valid now, of `id.timestamp.body` by HMAC-SHA256.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}
_WHEN = {
    EventType.QUEUED: "A task was accepted, or waits for its next attempt.",
    EventType.STARTED: "A worker has begun with it.",
    EventType.COMPLETED: "Its transcript is there.",
    EventType.FAILED: "It has ended in an error.",
    EventType.CANCELLED: "It was cancelled.",
    EventType.REVISED: "A task has a new revision of its transcript.",
    EventType.TEST: "You have pressed the test button.",
}
_STATUS = {
    EventType.QUEUED: TaskStatus.QUEUED,
    EventType.STARTED: TaskStatus.PROCESSING,
    EventType.COMPLETED: TaskStatus.DONE,
    EventType.FAILED: TaskStatus.ERROR,
    EventType.CANCELLED: TaskStatus.CANCELLED,
}


def described_webhooks() -> Json:
    """Return the description's member `webhooks`."""
    return {event.value: {"post": _operation(event)} for event in EventType}


def _operation(event: EventType) -> Json:
    schema = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": event.value},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": _data(event),
        },
    }
    example = {"type": event.value, "timestamp": "2026-01-31T09:30:00Z", "data": _example(event)}
    return {
        "operationId": event.value.replace(".", "_"),
        "summary": _WHEN[event],
        "description": "Answer 2xx within 15 seconds; anything else is tried again, for three days.",
        "tags": ["Webhooks"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": about, "example": example,
             "schema": {"type": "string"}}
            for name, (about, example) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": {event.value: {"value": example}}}},
        },
        "responses": {
            "2XX": {"description": "It was taken."},
            "410": {"description": "Nothing more is wanted: the endpoint is switched off."},
        },
    }  # fmt: skip


def _data(event: EventType) -> Json:
    text, number = {"type": "string"}, {"type": "integer"}
    identifier = {"type": "string", "format": "uuid"}
    links = {
        "type": "object", "description": "Paths of this service where more is to be had.",
        "properties": {"task": text, "result": text},
    }  # fmt: skip
    fields: Json = {"id": identifier, "revision": number, "links": links}
    if event is EventType.TEST:
        return {"type": "object"}
    if event is EventType.REVISED:
        fields["made_by"] = {**identifier, "description": "The task that made the revision."}
        return {"type": "object", "required": list(fields), "properties": fields}
    error = {
        "type": ["object", "null"], "description": "Why it failed.", "properties": {"code": text, "detail": text},
    }  # fmt: skip
    fields |= {
        "status": {"type": "string", "enum": [_STATUS[event].value]},
        "kind": {"type": "string", "enum": [kind.value for kind in TaskKind]},
        "parent": {"type": ["string", "null"], "format": "uuid", "description": "What it goes on from."},
        "language": {"type": ["string", "null"]},
        "duration_seconds": {"type": ["number", "null"], "description": "Of the recording, once it is decoded."},
        "error": error,
    }
    return {"type": "object", "required": list(fields), "properties": fields}


def _example(event: EventType) -> Json:
    if event is EventType.TEST:
        return {}
    links = {"task": f"/api/v1/tasks/{_ID}"}
    if event is EventType.REVISED:
        links["result"] = f"/api/v1/result/{_ID}?revision=2"
        return {"id": _ID, "revision": 2, "made_by": "0198f3a2-9d00-7e11-8f00-5a1b2c3d4e5f", "links": links}
    done = event is EventType.COMPLETED
    if done:
        links["result"] = f"/api/v1/result/{_ID}"
    return {
        "id": _ID,
        "status": _STATUS[event].value,
        "kind": TaskKind.TRANSCRIBE.value,
        "parent": None,
        "revision": int(done),
        "language": "en" if done else None,
        "duration_seconds": 61.5 if done else None,
        "error": {"code": "not_media", "detail": "This is no audio or video of a known format."}
        if event is EventType.FAILED
        else None,
        "links": links,
    }
