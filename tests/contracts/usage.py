"""What every repository of usage promises, as part of its unit of work."""

from datetime import timedelta

from adapters.system import Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from domain.clip import ClipId
from domain.quota import DAY, MONTH, Quota, Used
from domain.task import OwnerId, Task
from tests.builders import NOW, OWNER, a_running_task, a_task
from tests.contracts.suite import Suite

_new_id = Uuid7Factory().new
MOMENT = timedelta(seconds=1)


async def charged(
    new_uow: NewUnitOfWork, *, age: timedelta = MOMENT, size: int = 0, audio_ms: int = 0, owner: OwnerId = OWNER
) -> Task:
    task = a_task(owner=owner)
    async with new_uow() as uow:
        await uow.tasks.add(task)
        await uow.usage.charge(task.id, owner, at=NOW - age, size=size)
        await uow.usage.measure(task.id, audio_ms=audio_ms)
        await uow.commit()
    return task


async def used(new_uow: NewUnitOfWork, owner: OwnerId = OWNER) -> Used:
    async with new_uow() as uow:
        return await uow.usage.used(owner, now=NOW)


class UsageRepositoryContract(Suite):
    """What was used, and what may be."""

    async def test_nothing_is_used_at_first(self, new_uow: NewUnitOfWork) -> None:
        assert await used(new_uow) == Used()

    async def test_charges_add_up_for_their_owner(self, new_uow: NewUnitOfWork) -> None:
        await charged(new_uow, size=2**40, audio_ms=10)
        await charged(new_uow, size=3, audio_ms=2**40, age=MOMENT * 5)
        await charged(new_uow, size=7, audio_ms=7, owner=OwnerId(_new_id()))
        since = NOW - MOMENT * 5
        assert await used(new_uow) == Used(
            requests=2, audio_ms=2**40 + 10, bytes=2**40 + 3, tasks=2, since_day=since, since_month=since
        )

    async def test_a_day_and_a_month_roll(self, new_uow: NewUnitOfWork) -> None:
        for age in (MOMENT, DAY - MOMENT, DAY, MONTH - MOMENT, MONTH):
            await charged(new_uow, age=age, size=10, audio_ms=100)
        now = await used(new_uow)
        assert (now.requests, now.bytes, now.audio_ms) == (2, 40, 400)
        assert (now.since_day, now.since_month) == (NOW - DAY + MOMENT, NOW - MONTH + MOMENT)
        async with new_uow() as uow:
            await uow.usage.forget(OwnerId(_new_id()), before=NOW)
            await uow.usage.forget(OWNER, before=NOW - DAY)
            await uow.commit()
        assert (await used(new_uow)).bytes == 30, "what is exactly as old is kept"

    async def test_a_clips_bytes_are_no_request(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            await uow.usage.charge_clip(ClipId(_new_id()), OWNER, at=NOW - MOMENT, size=5)
            await uow.commit()
        assert await used(new_uow) == Used(bytes=5, since_month=NOW - MOMENT)

    async def test_what_is_measured_later_leaves_the_rest(self, new_uow: NewUnitOfWork) -> None:
        task = await charged(new_uow, size=1, audio_ms=2)
        async with new_uow() as uow:
            await uow.usage.measure(task.id, size=10)
            await uow.commit()
        now = await used(new_uow)
        assert (now.bytes, now.audio_ms) == (10, 2)

    async def test_what_is_measured_again_counts_once(self, new_uow: NewUnitOfWork) -> None:
        task = await charged(new_uow, audio_ms=5)
        async with new_uow() as uow:
            for task_id in (task.id, a_task().id):
                await uow.usage.measure(task_id, audio_ms=7)
            await uow.commit()
        assert (await used(new_uow)).audio_ms == 7

    async def test_what_a_deleted_task_has_cost_stays(self, new_uow: NewUnitOfWork) -> None:
        task = await charged(new_uow, size=3, audio_ms=5)
        async with new_uow() as uow:
            await uow.tasks.delete(task.id)
            await uow.commit()
        now = await used(new_uow)
        assert (now.requests, now.bytes, now.audio_ms, now.tasks) == (1, 3, 5, 0)

    async def test_tasks_that_wait_or_run_are_under_way(self, new_uow: NewUnitOfWork) -> None:
        waiting, running, ended = a_task(), a_running_task(), a_task()
        ended.request_cancel(now=NOW)
        async with new_uow() as uow:
            for task in (waiting, running, ended):
                await uow.tasks.add(task)
            await uow.commit()
        assert (await used(new_uow)).tasks == 2

    async def test_without_commit_nothing_is_charged(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        async with new_uow() as uow:
            await uow.tasks.add(task)
            await uow.usage.charge(task.id, OWNER, at=NOW, size=3)
            await uow.usage.set_quota(OWNER, Quota(requests=1))
        assert await used(new_uow) == Used()
        async with new_uow() as uow:
            assert await uow.usage.quota(OWNER) is None

    async def test_an_owner_may_have_a_quota_of_its_own(self, new_uow: NewUnitOfWork) -> None:
        first = Quota(requests=0, audio_minutes=2**40, bytes=None, tasks=3)
        other, second = OwnerId(_new_id()), Quota(bytes=5)
        async with new_uow() as uow:
            assert await uow.usage.quota(OWNER) is None
            await uow.usage.set_quota(OWNER, Quota(tasks=1))
            await uow.usage.set_quota(OWNER, first)
            await uow.usage.set_quota(other, second)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.usage.quota(OWNER) == first
            assert await uow.usage.quotas() == {OWNER: first, other: second}
            await uow.usage.set_quota(OWNER, None)
            assert await uow.usage.quota(OWNER) is None
            assert await uow.usage.quotas() == {other: second}
