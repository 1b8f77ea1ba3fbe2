"""S-11: an event is stored with the change that it tells of, and arrives at least once, whoever is killed meanwhile."""

import asyncio
import os
import random
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from adapters.cipher import AesGcmCipher
from adapters.egress import Egress
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.persistence.sql import SqlUnitOfWork
from adapters.system import SystemClock, Uuid7Factory
from adapters.webhooks.httpx_sender import HttpxWebhookSender
from application.announce_task import announce
from application.change_task import change_task
from application.manage_webhooks import ManageWebhooks
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from domain.egress import EgressPolicy
from domain.errors import StorageFull
from domain.task import Task, TaskError, TaskId, TaskStatus
from domain.webhook import DeliveryState, EndpointId
from infrastructure.database import connect, migrate
from tests.builders import OWNER, a_task
from tests.contracts.webhooks import an_endpoint
from tests.servers.webhook_receiver import Received, Receiver, Reply

ROUNDS = int(os.environ.get("COLLOQUY_TEST_WEBHOOK_KILLS", "5"))  # noqa: TID251 - a longer run for a release
EACH = 4
"""Events that happen in a round."""


@contextmanager
def courier(url: str, key: bytes) -> Iterator[subprocess.Popen[str]]:
    """A process that sends, killed at the end without a word."""
    command = [sys.executable, "-m", "tests.promises.courier_process", url, key.hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "sending\n"
            yield process
        finally:
            process.kill()


async def happen(new_uow: NewUnitOfWork) -> Task:
    task = a_task()
    async with new_uow() as uow:
        now = await uow.tasks.now()
        task = replace(task, created_at=now, updated_at=now)
        await uow.tasks.add(task)
        await announce(uow, task)
        await uow.commit()
    return task


async def unsettled(new_uow: NewUnitOfWork, webhook: EndpointId) -> int:
    async with new_uow() as uow:
        pending = await uow.deliveries.page(webhook, state=DeliveryState.PENDING, before=None, limit=10_000)
        failed = await uow.deliveries.page(webhook, state=DeliveryState.FAILED, before=None, limit=1)
    assert not failed
    return len(pending)


@pytest.mark.slow
@pytest.mark.timeout(60 + 15 * ROUNDS)
async def test_s11_killed_at_any_moment_each_event_arrives_under_one_id(
    tmp_path: Path,
) -> None:
    url, key = f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite3'}", secrets.token_bytes(32)
    migrate(url)
    engine = connect(url)

    def new_uow() -> UnitOfWork:
        return SqlUnitOfWork(engine)

    chance = random.Random(11)

    def reply(_: Received) -> Reply:
        return Reply(delay=chance.uniform(0, 0.1))

    with Receiver(reply) as receiver:
        sender = HttpxWebhookSender(Egress(EgressPolicy.allowing(["127.0.0.1"])), allow_http=True)
        manage = ManageWebhooks(
            new_uow=new_uow, sender=sender, cipher=AesGcmCipher(lambda: key), ids=Uuid7Factory(), clock=SystemClock()
        )
        webhook = (await manage.add(OWNER, receiver.url()))[0].id
        tasks: list[Task] = []
        for _ in range(ROUNDS):
            tasks += [await happen(new_uow) for _ in range(EACH)]
            enough = len(receiver.received) + chance.randint(1, EACH)
            with courier(url, key):
                while len(receiver.received) < enough:  # noqa: ASYNC110 - another thread's list
                    await asyncio.sleep(0.005)
                await asyncio.sleep(chance.uniform(0, 0.1))  # to the middle of an answer, or of what is noted of it
        with courier(url, key):
            while await unsettled(new_uow, webhook):  # noqa: ASYNC110 - another process settles them
                await asyncio.sleep(0.1)
        async with new_uow() as uow:
            log = await uow.deliveries.page(webhook, state=None, before=None, limit=10_000)
    await engine.dispose()

    came = Counter(each.headers["webhook-id"] for each in receiver.received)
    assert len(log) == ROUNDS * EACH
    assert {each.event for each in log} == came.keys(), "each event, and no other"
    assert {each.task for each in log} == {task.id for task in tasks}
    bodies = {(each.headers["webhook-id"], each.body) for each in receiver.received}
    assert len(bodies) == len(came), "one body to an id"
    more_than_once = sum(count > 1 for count in came.values())
    print(f"S-11: {ROUNDS} kills, {len(log)} events, 0 lost, {more_than_once} came more than once,"  # noqa: T201
          f" at most {max(came.values())} times")  # fmt: skip


class Falls(MemoryUnitOfWork):
    """Cannot commit."""

    async def commit(self) -> None:
        raise StorageFull("there is no room")


@pytest.mark.parametrize("end", ["done", "error", "cancelled"])
async def test_s11_an_event_is_stored_with_its_change_or_not_at_all(end: str) -> None:
    database = MemoryDatabase(SystemClock())

    def new_uow() -> UnitOfWork:
        return MemoryUnitOfWork(database)

    endpoint, task = an_endpoint(), a_task()
    async with new_uow() as uow:
        await uow.webhooks.add(endpoint)
        task.claim(worker="test", now=await uow.tasks.now())
        await uow.tasks.add(task)
        await uow.commit()

    def change(task: Task, now: datetime) -> None:
        match end:
            case "done":
                task.complete(token=task.token, now=now, language="en", duration=1, processing_ms=1)
            case "error":
                task.fail(token=task.token, error=TaskError("not_media", "no sound"), now=now)
            case _:
                task.cancelled(token=task.token, now=now)

    async def stored() -> tuple[TaskStatus, int]:
        async with new_uow() as uow:
            now = await uow.tasks.get(TaskId(task.id))
            assert now is not None
            return now.status, len(await uow.deliveries.page(endpoint.id, state=None, before=None, limit=9))

    with pytest.raises(StorageFull):
        await change_task(lambda: Falls(database), task.id, change)
    assert await stored() == (TaskStatus.PROCESSING, 0)
    await change_task(new_uow, task.id, change)
    assert await stored() == (TaskStatus(end), 1)
