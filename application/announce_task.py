"""Telling of a task's life: the deliveries are stored in the unit of work that stores the change, or not at all.

It sends nothing and waits for nobody. What it writes names the task and where to ask, never what was said in it.
"""

from datetime import datetime
from uuid import UUID, uuid5

from msgspec import json

from application.ports.persistence import UnitOfWork
from domain.span import to_seconds
from domain.task import Task, TaskId, TaskKind, TaskStatus
from domain.webhook import Delivery, DeliveryId, EventType, WebhookEndpoint

_EVENTS = UUID("6c0f4f0e-3d7b-5a80-9a51-1d1f0c0b7e52")
"""The namespace of event ids: an event that is announced twice is the same one."""
_TOLD = {
    TaskStatus.QUEUED: EventType.QUEUED,
    TaskStatus.PROCESSING: EventType.STARTED,
    TaskStatus.DONE: EventType.COMPLETED,
    TaskStatus.ERROR: EventType.FAILED,
    TaskStatus.CANCELLED: EventType.CANCELLED,
}


async def announce(uow: UnitOfWork, task: Task) -> None:
    """Store the deliveries of the event that brought the task to where it stands."""
    await _tell(uow, task, _TOLD[task.status], about=task.id)
    if task.status is TaskStatus.DONE and task.kind is TaskKind.REVISE and task.parent is not None:
        await _tell(uow, task, EventType.REVISED, about=task.parent)


async def _tell(uow: UnitOfWork, task: Task, event: EventType, *, about: TaskId) -> None:
    wanting = [each for each in await uow.webhooks.listening(task.owner, about) if each.wants(event)]
    if not wanting:
        return
    name = f"msg_{uuid5(_EVENTS, f'{task.id}/{event}').hex}"
    facts = _revision(task, about) if event is EventType.REVISED else _facts(task)
    body = event_body(event, task.updated_at, facts)
    for endpoint in wanting:
        await uow.deliveries.add(delivery_of(endpoint, name, event, body, now=task.updated_at, task=about))


def delivery_of(
    endpoint: WebhookEndpoint, name: str, event: EventType, body: bytes, *, now: datetime, task: TaskId | None
) -> Delivery:
    """Return the delivery of an event to an endpoint, due at once."""
    return Delivery(
        id=DeliveryId(uuid5(endpoint.id, name)), endpoint=endpoint.id, task=task, event=name, type=event, body=body,
        created_at=now, next_at=now,
    )  # fmt: skip


def event_body(event: EventType, at: datetime, facts: dict[str, object]) -> bytes:
    """Return the body as Standard Webhooks shapes it."""
    return json.encode({"type": event, "timestamp": at, "data": facts})


def _facts(task: Task) -> dict[str, object]:
    links = {"task": f"/api/v1/tasks/{task.id}"}
    if task.status is TaskStatus.DONE:
        links["result"] = f"/api/v1/result/{task.id if task.kind is TaskKind.TRANSCRIBE else task.parent}"
    return {
        "id": task.id,
        "status": task.status,
        "kind": task.kind,
        "parent": task.parent,
        "revision": task.revision,
        "language": task.language,
        "duration_seconds": None if task.duration is None else to_seconds(task.duration),
        "error": None if task.error is None else {"code": task.error.code, "detail": task.error.detail[:1000]},
        "links": links,
    }


def _revision(task: Task, parent: TaskId) -> dict[str, object]:
    return {
        "id": parent,
        "revision": task.revision,
        "made_by": task.id,
        "links": {"task": f"/api/v1/tasks/{parent}", "result": f"/api/v1/result/{parent}?revision={task.revision}"},
    }
