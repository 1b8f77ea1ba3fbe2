"""Which events a task's life makes, and what their bodies say."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest

from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.system import SystemClock
from application.announce_task import announce
from application.bury_task import bury
from application.change_task import change_task
from application.claim_task import ClaimTask
from application.ports.persistence import UnitOfWork
from domain.deletion import DeletionReason
from domain.task import Task, TaskError, TaskKind, TaskStatus
from domain.webhook import Delivery, EventType, WebhookEndpoint
from entrypoints.http import schemas_webhooks
from tests.builders import a_full_task, a_task
from tests.contracts.webhooks import an_endpoint

LARGEST = 20_000
"""Bytes of a body, as Standard Webhooks has it."""


class World:
    """A database with one endpoint that wants to hear everything."""

    def __init__(self) -> None:
        self.database = MemoryDatabase(SystemClock())
        self.endpoint = an_endpoint()

    def new_uow(self) -> UnitOfWork:
        return MemoryUnitOfWork(self.database)

    async def listen(self, *endpoints: WebhookEndpoint) -> None:
        async with self.new_uow() as uow:
            for endpoint in endpoints:
                await uow.webhooks.add(endpoint)
            await uow.commit()

    async def add(self, task: Task) -> None:
        async with self.new_uow() as uow:
            await uow.tasks.add(task)
            await announce(uow, task)
            await uow.commit()

    async def told(self, endpoint: WebhookEndpoint | None = None) -> Sequence[Delivery]:
        """What the endpoint is told, in order."""
        async with self.new_uow() as uow:
            page = await uow.deliveries.page((endpoint or self.endpoint).id, state=None, before=None, limit=100)
        return page[::-1]

    async def events(self, endpoint: WebhookEndpoint | None = None) -> list[str]:
        return sorted(delivery.type.removeprefix("transcription.") for delivery in await self.told(endpoint))


@pytest.fixture
async def world() -> World:
    world = World()
    await world.listen(world.endpoint)
    return world


def complete(task: Task, now: datetime) -> None:
    task.complete(token=task.token, now=now, language="en", duration=1500, processing_ms=9)


async def test_a_good_life(world: World) -> None:
    task = a_task()
    await world.add(task)
    assert await ClaimTask(new_uow=world.new_uow, worker="w").one(task.id)
    await change_task(world.new_uow, task.id, complete)
    assert await world.events() == ["completed", "queued", "started"]


async def test_what_is_tried_again_is_begun_once(world: World) -> None:
    task = a_task()
    await world.add(task)
    claim = ClaimTask(new_uow=world.new_uow, worker="w")
    for again in (True, True, False):
        assert await claim.one(task.id)
        if again:
            await change_task(world.new_uow, task.id, lambda task, now: task.release(token=task.token, now=now))
    error = TaskError("engine_failed", "x" * 5000)

    def fail(task: Task, now: datetime) -> None:
        task.retry(token=task.token, error=error, delay=timedelta(), now=now)

    for _ in range(3):
        await change_task(world.new_uow, task.id, fail)
        await claim.one(task.id)
    assert await world.events() == ["failed", "queued", "started"]


async def test_cancelling_is_told_once_however_often_it_is_asked(world: World) -> None:
    task = a_task()
    await world.add(task)
    for _ in range(3):
        await change_task(world.new_uow, task.id, lambda task, now: task.request_cancel(now=now))
    assert await world.events() == ["cancelled", "queued"]


async def test_a_revision_is_told_of_its_parent_too(world: World) -> None:
    parent = a_task()
    await world.add(parent)
    only = an_endpoint(task=parent.id)
    await world.listen(only)
    revise = a_task(kind=TaskKind.REVISE, parent=parent.id, revision=2)
    await world.add(revise)
    assert await ClaimTask(new_uow=world.new_uow, worker="w").one(revise.id)
    await change_task(world.new_uow, revise.id, complete)
    assert await world.events() == ["completed", "queued", "queued", "revision.created", "started"]
    (told,) = await world.told(only)
    assert told.type is EventType.REVISED
    assert told.task == parent.id
    body = msgspec.json.decode(told.body, type=schemas_webhooks.RevisionEvent)
    assert (body.data.id, body.data.revision, body.data.made_by) == (parent.id, 2, revise.id)


async def test_what_revises_a_deleted_task_is_cancelled_and_that_is_told(world: World) -> None:
    parent = a_task()
    await world.add(parent)
    revise = a_task(kind=TaskKind.REVISE, parent=parent.id, revision=2)
    await world.add(revise)
    async with world.new_uow() as uow:
        await bury(uow, parent, DeletionReason.CALLER)
        await uow.commit()
    assert await world.events() == ["cancelled", "queued"], "what told of the deleted one is gone"


async def test_each_is_told_what_it_wants_of_its_own_owner(world: World) -> None:
    some = an_endpoint(events=(EventType.COMPLETED, EventType.FAILED))
    foreign = an_endpoint(owner=a_full_task().id)
    disabled = an_endpoint(disabled_at=world.database.clock.now(), disabled_reason="by its owner")
    await world.listen(some, foreign, disabled)
    task = a_task()
    await world.add(task)
    assert await ClaimTask(new_uow=world.new_uow, worker="w").one(task.id)
    await change_task(world.new_uow, task.id, complete)
    assert await world.events(some) == ["completed"]
    assert await world.events(foreign) == await world.events(disabled) == []


@pytest.mark.parametrize("status", TaskStatus)
async def test_bodies_are_as_they_are_described_and_small(world: World, status: TaskStatus) -> None:
    full = a_full_task()
    task = replace(
        full,
        status=status,
        error=TaskError("engine_failed", "é" * 9000),
        title="secret title",
        kind=TaskKind.TRANSCRIBE,
    )
    await world.add(task)
    (delivery,) = await world.told()
    assert len(delivery.body) < LARGEST
    body = msgspec.json.decode(delivery.body, type=schemas_webhooks.EVENTS[delivery.type], strict=True)
    assert body.type == delivery.type
    assert body.timestamp == delivery.created_at
    assert delivery.body.decode().split('"timestamp":"')[1].split('"')[0].endswith("Z")
    for private in (task.media.filename, task.options.initial_prompt, *task.options.hotwords, task.title):
        assert private not in delivery.body.decode()


def test_every_event_is_described() -> None:
    assert set(schemas_webhooks.EVENTS) == set(EventType)
