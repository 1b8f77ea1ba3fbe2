"""S-12: a receiver that is dead for days is given up, listed, and can be told again; nobody else notices."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from application.forget_deliveries import ForgetDeliveries
from application.ports.queue import Job
from domain.webhook import KEPT, DeliveryState
from entrypoints.couriers import AT_ONCE_EACH, Couriers
from tests.servers.webhook_receiver import Receiver, Reply
from tests.webhook_house import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.built(tmp_path) as built:
        yield built


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


async def test_s12_four_days_of_silence(house: House, receiver: Receiver) -> None:
    with Receiver() as stopped:
        address = stopped.url()
    dead, _ = await house.register(address)
    alive, _ = await house.register(receiver.url())
    began = house.clock.time
    lag = timedelta()
    while house.clock.time - began < timedelta(days=4):
        if (house.clock.time - began) % timedelta(days=1) == timedelta():
            await house.happen()  # one each day
            assert await house.attempt_all() >= 2
            (newest, *_) = await house.log(alive)
            assert newest.settled_at is not None
            lag = max(lag, newest.settled_at - newest.created_at)
        house.pass_by(timedelta(minutes=15))
        await house.attempt_all()
    assert lag == timedelta(), "whoever is alive is told at once"
    assert len(receiver.received) == 4
    first = (await house.log(dead))[-1]
    assert first.state is DeliveryState.FAILED
    assert len(first.attempts) == 10
    assert all(attempt.error == "the receiver cannot be reached" for attempt in first.attempts)
    assert [each.state for each in await house.log(dead)].count(DeliveryState.PENDING) == 3
    assert {each.state for each in await house.log(alive)} == {DeliveryState.DELIVERED}


async def test_s12_what_was_given_up_is_listed_and_sent_again_by_the_api(house: House, receiver: Receiver) -> None:
    webhook, _ = await house.register(receiver.url())
    receiver.reply = lambda _: Reply(500)
    start = house.clock.time
    for _ in range(3):
        await house.happen()
        house.pass_by(timedelta(seconds=1))
    while await house.wait():
        await house.attempt_all()
    path = f"/api/v1/webhooks/{webhook}"
    listed = (await house.client.get(f"{path}/deliveries?state=failed&limit=2")).json()
    rest = (await house.client.get(f"{path}/deliveries?state=failed&cursor={listed['next_cursor']}")).json()
    failed = [*listed["deliveries"], *rest["deliveries"]]
    assert len(failed) == 3
    assert rest["next_cursor"] is None
    assert [each["created_at"] for each in failed] == sorted((each["created_at"] for each in failed), reverse=True)
    assert failed[0]["attempts"][-1]["status"] == 500

    receiver.reply = lambda _: Reply()
    before = len(receiver.received)
    again = await house.client.post(f"{path}/deliveries/{failed[0]['id']}/replay")
    assert again.status_code == 202
    assert again.json()["state"] == "pending"
    assert await asyncio.wait_for(house.api.queue.next(Job.DELIVER_WEBHOOK), 1)
    assert await house.attempt_all() == 1
    assert receiver.received[-1].headers["webhook-id"] == failed[0]["event_id"]

    since = (start + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    counted = await house.client.post(f"{path}/replay", params={"since": since})
    assert (counted.status_code, counted.json()) == (202, {"count": 2})
    assert await house.attempt_all() == 2
    assert len(receiver.received) == before + 3
    left = (await house.client.get(f"{path}/deliveries?state=failed")).json()["deliveries"]
    assert [each["id"] for each in left] == [failed[2]["id"]]
    for query in ({"since": "2026-01-01T00:00:00"}, {"since": "yesterday"}, {}):
        assert (await house.client.post(f"{path}/replay", params=query)).status_code == 422


async def test_s12_a_hundred_events_for_a_dead_receiver_hold_up_nobody(house: House, receiver: Receiver) -> None:
    """With the clock that runs: attempts at the dead one are waited for, two at a time, and all others go past."""
    with Receiver(lambda _: Reply(delay=60)) as dead:
        await house.register(dead.url())
        for _ in range(100):
            await house.happen()
        alive, _ = await house.register(receiver.url())
        for _ in range(20):
            await house.happen()
        house.api.database.clock = house.api.clock
        couriers = Couriers(house.deliver, lambda: house.api.queue.next(Job.DELIVER_WEBHOOK))
        couriers.start()
        began = time.monotonic()
        while len(receiver.received) < 20 and time.monotonic() - began < 10:  # noqa: ASYNC110 - another thread's list
            await asyncio.sleep(0.02)
        assert len(receiver.received) == 20
        assert dead.most_at_once == AT_ONCE_EACH
        dead.release()
        await couriers.stop()
    assert {each.state for each in await house.log(alive)} == {DeliveryState.DELIVERED}


async def test_s12_the_log_ends_after_a_month(house: House, receiver: Receiver) -> None:
    webhook, _ = await house.register(receiver.url())
    await house.happen()
    await house.attempt_all()
    forget = ForgetDeliveries(new_uow=house.api.new_uow)
    house.pass_by(KEPT - timedelta(seconds=1))
    assert await forget() == 0
    house.pass_by(timedelta(seconds=2))
    assert await forget() == 1
    assert await house.log(webhook) == []
