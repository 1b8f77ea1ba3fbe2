"""What every unit of work and its repositories promise. Bindings give `new_uow`, over an empty database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from application.ports.persistence import NewUnitOfWork, StaleTask
from domain.access import KeyId, Scope
from domain.errors import LeaseLost, WrongState
from domain.task import OwnerId, Task, TaskId, TaskStatus
from domain.turns import AGEING
from tests.builders import NOW, OWNER, a_full_task, a_running_task, a_task, an_api_key
from tests.contracts.suite import Suite

SECOND = timedelta(seconds=1)
MANY, FEW = OwnerId(UUID(int=8)), OwnerId(UUID(int=9))


async def stored(new_uow: NewUnitOfWork, *tasks: Task) -> None:
    async with new_uow() as uow:
        for task in tasks:
            await uow.tasks.add(task)
        await uow.commit()


async def read(new_uow: NewUnitOfWork, task_id: TaskId) -> Task | None:
    async with new_uow() as uow:
        return await uow.tasks.get(task_id)


class UnitOfWorkContract(Suite):
    """Transactions."""

    async def test_what_was_committed_is_there(self, new_uow: NewUnitOfWork) -> None:
        task, key = a_running_task(), an_api_key()
        async with new_uow() as uow:
            await uow.tasks.add(task)
            await uow.checkpoints.put(task.id, "1", token=task.token, payload=b"heard")
            await uow.api_keys.add(key)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.tasks.get(task.id) == task
            assert await uow.checkpoints.all(task.id) == {"1": b"heard"}
            assert await uow.api_keys.get(key.id) == key

    async def test_leaving_without_commit_rolls_back(self, new_uow: NewUnitOfWork) -> None:
        kept, dropped, key = a_running_task(), a_task(), an_api_key()
        await stored(new_uow, kept)
        async with new_uow() as uow:
            await uow.tasks.add(dropped)
            await uow.api_keys.add(key)
            await uow.checkpoints.put(kept.id, "1", token=kept.token, payload=b"heard")
            await uow.tasks.delete(kept.id)
        async with new_uow() as uow:
            assert await uow.tasks.get(kept.id) == kept
            assert await uow.tasks.get(dropped.id) is None
            assert await uow.checkpoints.all(kept.id) == {}
            assert await uow.api_keys.all() == []

    async def test_an_error_rolls_back_and_passes(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()

        async def stumble() -> None:
            async with new_uow() as uow:
                await uow.tasks.add(task)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await stumble()
        assert await read(new_uow, task.id) is None

    async def test_what_comes_after_a_commit_needs_another(self, new_uow: NewUnitOfWork) -> None:
        first, second = a_task(), a_task()
        async with new_uow() as uow:
            await uow.tasks.add(first)
            await uow.commit()
            await uow.tasks.add(second)
        assert await read(new_uow, first.id) == first
        assert await read(new_uow, second.id) is None

    async def test_a_unit_sees_its_own_changes(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        async with new_uow() as uow:
            await uow.tasks.add(task)
            assert await uow.tasks.get(task.id) == task

    async def test_of_many_claims_one_wins(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        await stored(new_uow, task)

        async def claim(worker: str) -> bool:
            mine = await read(new_uow, task.id)
            assert mine is not None
            await asyncio.sleep(0)
            async with new_uow() as uow:
                try:
                    mine.claim(worker=worker, now=NOW)
                    await uow.tasks.save(mine)
                except (StaleTask, WrongState):
                    return False
                await uow.commit()
                return True

        won = await asyncio.gather(*[claim(f"worker-{number}") for number in range(8)])
        winner = await read(new_uow, task.id)
        assert sum(won) == 1
        assert winner is not None
        assert winner.lease is not None
        assert winner.lease.worker == f"worker-{won.index(True)}"
        assert (winner.token, winner.attempt, winner.version) == (1, 1, 1)

    async def test_a_cancelled_unit_rolls_back_and_blocks_nobody(self, new_uow: NewUnitOfWork) -> None:
        tasks = [a_task() for _ in range(12)]

        async def add(task: Task) -> None:
            async with new_uow() as uow:
                await uow.tasks.add(task)
                await asyncio.sleep(60)
                await uow.commit()

        for steps, task in enumerate(tasks):
            adding = asyncio.create_task(add(task))
            for _ in range(steps):  # each time it is interrupted a little later
                await asyncio.sleep(0.0005)
            adding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await adding
        last = a_task()
        await stored(new_uow, last)
        async with new_uow() as uow:
            assert await uow.tasks.page(OWNER, before=None, limit=50) == [last]

    async def test_many_at_once_all_get_their_turn(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        await stored(new_uow, task)
        waited: list[float] = []
        stop = asyncio.Event()

        async def busy() -> None:
            while not stop.is_set():
                await read(new_uow, task.id)

        async def patient() -> None:
            for _ in range(5):
                start = asyncio.get_running_loop().time()
                await read(new_uow, task.id)
                waited.append(asyncio.get_running_loop().time() - start)
            stop.set()

        await asyncio.wait_for(asyncio.gather(busy(), busy(), patient()), 5)
        assert len(waited) == 5


class TaskRepositoryContract(Suite):
    """Tasks."""

    async def test_every_field_comes_back(self, new_uow: NewUnitOfWork) -> None:
        task = a_full_task()
        await stored(new_uow, task)
        assert await read(new_uow, task.id) == task

    async def test_every_field_is_saved(self, new_uow: NewUnitOfWork) -> None:
        plain, full = a_task(), a_full_task()
        full.id, full.version = plain.id, plain.version
        await stored(new_uow, plain)
        async with new_uow() as uow:
            await uow.tasks.save(full)
            await uow.commit()
        assert await read(new_uow, plain.id) == full

    async def test_a_missing_task_is_none(self, new_uow: NewUnitOfWork) -> None:
        assert await read(new_uow, a_task().id) is None

    async def test_many_are_read_at_once(self, new_uow: NewUnitOfWork) -> None:
        tasks = [a_task(), a_full_task(), a_task()]
        await stored(new_uow, *tasks)
        async with new_uow() as uow:
            wanted = [tasks[0].id, tasks[1].id, a_task().id]
            assert await uow.tasks.many(wanted) == {task.id: task for task in tasks[:2]}
            assert await uow.tasks.many([]) == {}

    async def test_what_is_read_is_a_copy(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        async with new_uow() as uow:
            await uow.tasks.add(task)
            task.progress = 0.5
            first = await uow.tasks.get(task.id)
            assert first is not None
            assert first.progress == 0.0
            first.progress = 0.7
            await uow.commit()
        again = await read(new_uow, task.id)
        assert again is not None
        assert again.progress == 0.0

    async def test_saving_counts_versions(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        async with new_uow() as uow:
            await uow.tasks.add(task)
            await uow.tasks.save(task)
            assert task.version == 1
            await uow.tasks.save(task)
            await uow.commit()
        assert task.version == 2
        assert await read(new_uow, task.id) == task

    async def test_a_stale_copy_is_refused(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        await stored(new_uow, task)
        mine, theirs = await read(new_uow, task.id), await read(new_uow, task.id)
        assert mine is not None
        assert theirs is not None
        theirs.claim(worker="theirs", now=NOW)
        mine.request_cancel(now=NOW)
        async with new_uow() as uow:
            await uow.tasks.save(theirs)
            await uow.commit()
        async with new_uow() as uow:
            with pytest.raises(StaleTask):
                await uow.tasks.save(mine)
        assert mine.version == 0
        assert await read(new_uow, task.id) == theirs

    async def test_a_task_that_is_gone_cannot_be_saved(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            with pytest.raises(StaleTask):
                await uow.tasks.save(a_task())

    async def test_deleting_takes_the_checkpoints_along(self, new_uow: NewUnitOfWork) -> None:
        task, other = a_running_task(), a_running_task()
        await stored(new_uow, task, other)
        async with new_uow() as uow:
            for each in (task, other):
                await uow.checkpoints.put(each.id, "1", token=1, payload=b"heard")
            await uow.tasks.delete(task.id)
            await uow.tasks.delete(task.id)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.tasks.get(task.id) is None
            assert await uow.checkpoints.all(task.id) == {}
            assert await uow.tasks.get(other.id) == other
            assert await uow.checkpoints.all(other.id) == {"1": b"heard"}

    async def test_pages_run_from_the_newest_back(self, new_uow: NewUnitOfWork) -> None:
        own = [a_task() for _ in range(5)]
        await stored(new_uow, *own[::-1], a_task(owner=OwnerId(an_api_key().id)))
        async with new_uow() as uow:
            first = await uow.tasks.page(OWNER, before=None, limit=2)
            second = await uow.tasks.page(OWNER, before=first[-1].id, limit=2)
            third = await uow.tasks.page(OWNER, before=second[-1].id, limit=2)
        assert [*first, *second, *third] == own[::-1]
        assert len(third) == 1

    async def test_due_are_queued_tasks_whose_time_has_come(self, new_uow: NewUnitOfWork) -> None:
        late = a_task(run_after=NOW - SECOND)
        first, second = a_task(run_after=NOW - 2 * SECOND), a_task(run_after=NOW - 2 * SECOND)
        now = a_task(run_after=NOW)
        others = [a_task(run_after=NOW + timedelta(microseconds=1)), a_running_task(now=NOW - SECOND)]
        others += [a_task(run_after=NOW - SECOND, status=status) for status in TaskStatus if status.final]
        await stored(new_uow, late, second, first, now, *others)
        async with new_uow() as uow:
            assert list(await uow.tasks.due(now=NOW, limit=10)) == [first.id, second.id, late.id, now.id]
            assert list(await uow.tasks.due(now=NOW, limit=2)) == [first.id, second.id]

    async def test_leased_are_all_or_the_expired(self, new_uow: NewUnitOfWork) -> None:
        early, later = a_running_task(now=NOW), a_running_task(now=NOW + SECOND)
        await stored(new_uow, later, early, a_task())
        assert early.lease is not None
        async with new_uow() as uow:
            assert set(await uow.tasks.leased()) == {early.id, later.id}
            assert list(await uow.tasks.leased(expired_by=early.lease.until)) == [early.id]
            assert list(await uow.tasks.leased(expired_by=early.lease.until - timedelta(microseconds=1))) == []

    async def test_due_come_by_priority_then_owner_in_turn_then_age(self, new_uow: NewUnitOfWork) -> None:
        many = [a_task(owner=MANY, run_after=NOW + number * SECOND) for number in range(6)]
        few = [a_task(owner=FEW, run_after=NOW + number * SECOND) for number in (10, 11)]
        low, high = a_task(owner=FEW, priority=-1, run_after=NOW), a_task(owner=MANY, priority=3, run_after=NOW)
        await stored(new_uow, low, *few[::-1], *many[::-1], high)
        order = [high, many[0], few[0], many[1], few[1], *many[2:], low]
        async with new_uow() as uow:
            for limit in (1, 2, 3, 5, 50):
                due = await uow.tasks.due(now=NOW + 20 * SECOND, limit=limit)
                assert list(due) == [task.id for task in order[:limit]]
            assert [await uow.tasks.position(task) for task in order] == list(range(10))

    async def test_rivals_for_the_first_task_get_a_task_each(self, new_uow: NewUnitOfWork) -> None:
        tasks = [a_task(run_after=NOW + number * SECOND) for number in range(5)]
        await stored(new_uow, *tasks)

        async def claim() -> Task | None:
            async with new_uow() as uow:
                due = await uow.tasks.due(now=NOW + 9 * SECOND, limit=1, claiming=True)
                task = await uow.tasks.get(due[0]) if due else None
                if task is not None:
                    task.claim(worker="rival", now=NOW + 9 * SECOND)
                    await uow.tasks.save(task)
                    await uow.tasks.take_turn(task)
                    await uow.commit()
                return task

        claimed = await asyncio.gather(*[claim() for _ in range(5)])
        assert {task.id for task in claimed if task} == {task.id for task in tasks}, "nobody was too late"
        async with new_uow() as uow:
            assert list(await uow.tasks.due(now=NOW + 9 * SECOND, limit=1, claiming=True)) == []

    async def test_the_owner_with_fewer_running_goes_first(self, new_uow: NewUnitOfWork) -> None:
        busy = [a_running_task(now=NOW) for _ in range(2)]
        waiting = [a_task(run_after=NOW), a_task(owner=FEW, run_after=NOW + SECOND)]
        later = [a_task(owner=FEW, run_after=NOW + 2 * SECOND), a_task(owner=FEW, run_after=NOW + 3 * SECOND)]
        await stored(new_uow, *busy, *waiting, *later)
        async with new_uow() as uow:
            order = await uow.tasks.due(now=NOW + 9 * SECOND, limit=9)
            assert list(order) == [waiting[1].id, later[0].id, waiting[0].id, later[1].id]
            assert await uow.tasks.position(waiting[0]) == 2

    async def test_a_turn_that_was_taken_puts_the_owner_behind(self, new_uow: NewUnitOfWork) -> None:
        first, other = a_task(run_after=NOW, updated_at=NOW), a_task(owner=FEW, run_after=NOW + SECOND)
        await stored(new_uow, first, other)
        for number, (taken, order) in enumerate(((first, [other, first]), (other, [first, other]))):
            taken.updated_at = NOW + number * SECOND
            async with new_uow() as uow:
                await uow.tasks.take_turn(taken)
                await uow.commit()
            async with new_uow() as uow:
                assert list(await uow.tasks.due(now=NOW + 9 * SECOND, limit=2)) == [task.id for task in order]
                assert [await uow.tasks.position(task) for task in order] == [0, 1]

    async def test_what_waits_long_rises_by_a_priority_and_falls_back(self, new_uow: NewUnitOfWork) -> None:
        low = [a_task(run_after=NOW + number * SECOND) for number in range(2)]
        high = [a_task(owner=FEW, priority=2, run_after=NOW + 2 * AGEING + number * SECOND) for number in (-9, -8)]
        await stored(new_uow, *low, *high)
        async with new_uow() as uow:
            early = await uow.tasks.due(now=NOW + 2 * AGEING - SECOND, limit=9)
            aged = await uow.tasks.due(now=NOW + 2 * AGEING, limit=9)
        assert list(early) == [task.id for task in (*high, *low)]
        assert list(aged) == [task.id for task in (low[0], *high, low[1])]
        low[0].updated_at = NOW + 2 * AGEING
        async with new_uow() as uow:
            await uow.tasks.take_turn(low[0])
            assert next(iter(await uow.tasks.due(now=NOW + 3 * AGEING, limit=1))) == high[0].id

    async def test_position_of_a_task_that_must_wait_counts_those_due_by_then(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            now = await uow.tasks.now()
        waits = a_task(run_after=now + 60 * SECOND)
        meanwhile, after = (a_task(owner=FEW, run_after=now + seconds * SECOND) for seconds in (30, 90))
        await stored(new_uow, waits, meanwhile, after)
        async with new_uow() as uow:
            assert await uow.tasks.position(waits) == 1
            assert await uow.tasks.position(meanwhile) == 0
            assert await uow.tasks.position(after) == 2

    async def test_the_queue_is_counted_for_all_and_for_one(self, new_uow: NewUnitOfWork) -> None:
        tasks = [a_task(), a_task(run_after=NOW + SECOND), a_task(owner=FEW), a_running_task()]
        await stored(new_uow, *tasks, *[a_task(status=status) for status in TaskStatus if status.final])
        async with new_uow() as uow:
            assert await uow.tasks.queue_length(OWNER) == (3, 2)
            assert await uow.tasks.queue_length(FEW, hold=True) == (3, 1)
            assert await uow.tasks.queue_length(MANY) == (3, 0)

    async def test_who_holds_the_queue_counts_alone(self, new_uow: NewUnitOfWork) -> None:
        async def add_below(limit: int) -> bool:
            async with new_uow() as uow:
                every, _ = await uow.tasks.queue_length(OWNER, hold=True)
                await asyncio.sleep(0.002)
                if every < limit:
                    await uow.tasks.add(a_task())
                    await uow.commit()
                return every < limit

        added = await asyncio.gather(*[add_below(4) for _ in range(8)])
        assert sum(added) == 4
        async with new_uow() as uow:
            assert await uow.tasks.queue_length(OWNER) == (4, 4)

    async def test_position_counts_the_queued_before(self, new_uow: NewUnitOfWork) -> None:
        line = [a_task(run_after=NOW + number // 2 * SECOND) for number in range(4)]
        await stored(new_uow, *line[::-1], a_running_task(now=NOW - SECOND), a_task(status=TaskStatus.DONE))
        async with new_uow() as uow:
            assert [await uow.tasks.position(task) for task in line] == [0, 1, 2, 3]

    async def test_the_clock_is_aware_and_right(self, new_uow: NewUnitOfWork) -> None:
        before = datetime.now(UTC)  # noqa: TID251 - the machine's clock is what the database's is held against
        async with new_uow() as uow:
            now = await uow.tasks.now()
            await asyncio.sleep(0.01)
            later = await uow.tasks.now()
        assert now.tzinfo is UTC
        assert abs(now - before) < timedelta(seconds=5)
        assert later > now


class CheckpointRepositoryContract(Suite):
    """Checkpoints."""

    async def test_parts_come_back_by_name(self, new_uow: NewUnitOfWork) -> None:
        task, big = a_running_task(), bytes(range(256)) * 8192
        await stored(new_uow, task)
        async with new_uow() as uow:
            await uow.checkpoints.put(task.id, "b", token=1, payload=b"")
            await uow.checkpoints.put(task.id, "a", token=1, payload=b"old")
            await uow.checkpoints.put(task.id, "a", token=1, payload=big)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.checkpoints.all(task.id) == {"a": big, "b": b""}
            assert await uow.checkpoints.all(a_task().id) == {}

    async def test_clearing_removes_those_of_the_task_alone(self, new_uow: NewUnitOfWork) -> None:
        task, other = a_running_task(), a_running_task()
        await stored(new_uow, task, other)
        async with new_uow() as uow:
            for each in (task, other):
                await uow.checkpoints.put(each.id, "1", token=1, payload=b"heard")
                await uow.checkpoints.put(each.id, "2", token=1, payload=b"heard")
            await uow.checkpoints.clear(task.id)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.checkpoints.all(task.id) == {}
            assert len(await uow.checkpoints.all(other.id)) == 2

    async def test_only_the_lease_holder_may_write(self, new_uow: NewUnitOfWork) -> None:
        task, queued = a_running_task(), a_task()
        await stored(new_uow, task, queued)
        async with new_uow() as uow:
            await uow.checkpoints.put(task.id, "1", token=1, payload=b"first")
            await uow.commit()
        task.expire(now=NOW, delay=timedelta(), gone=True)
        task.claim(worker="successor", now=NOW)
        async with new_uow() as uow:
            await uow.tasks.save(task)
            await uow.commit()
        for late, token in ((task.id, 1), (task.id, 3), (queued.id, 0), (a_task().id, 1)):
            async with new_uow() as uow:
                with pytest.raises(LeaseLost):
                    await uow.checkpoints.put(late, "1", token=token, payload=b"late")
        async with new_uow() as uow:
            assert await uow.checkpoints.all(task.id) == {"1": b"first"}
            await uow.checkpoints.put(task.id, "1", token=2, payload=b"second")
            assert await uow.checkpoints.all(task.id) == {"1": b"second"}


class ApiKeyRepositoryContract(Suite):
    """API keys."""

    async def test_many_are_found_at_once(self, new_uow: NewUnitOfWork) -> None:
        keys = [an_api_key() for _ in range(3)]
        async with new_uow() as uow:
            for key in keys:
                await uow.api_keys.add(key)
            wanted = [keys[0].digest, keys[1].digest, "0" * 64]
            assert await uow.api_keys.by_digests(wanted) == {key.digest: key for key in keys[:2]}

    async def test_keys_are_found_by_digest_and_by_id(self, new_uow: NewUnitOfWork) -> None:
        key, other = an_api_key(), an_api_key(revoked_at=NOW, last_used_at=NOW + SECOND)
        async with new_uow() as uow:
            await uow.api_keys.add(key)
            await uow.api_keys.add(other)
            await uow.commit()
        async with new_uow() as uow:
            for each in (key, other):
                assert await uow.api_keys.by_digest(each.digest) == each
                assert await uow.api_keys.get(each.id) == each
            assert await uow.api_keys.by_digest(an_api_key().digest) is None
            assert await uow.api_keys.get(KeyId(a_task().id)) is None

    async def test_all_come_oldest_first(self, new_uow: NewUnitOfWork) -> None:
        keys = [an_api_key(created_at=NOW + number * SECOND) for number in (0, 1, 2)]
        async with new_uow() as uow:
            for key in (keys[1], keys[2], keys[0]):
                await uow.api_keys.add(key)
            assert list(await uow.api_keys.all()) == keys

    async def test_a_use_is_noted_and_nothing_else_changes(self, new_uow: NewUnitOfWork) -> None:
        key, other = an_api_key(scopes=frozenset({Scope.READ}), expires_at=NOW + SECOND), an_api_key()
        async with new_uow() as uow:
            for each in (key, other):
                await uow.api_keys.add(each)
            await uow.api_keys.used(key.id, at=NOW)
            await uow.api_keys.used(KeyId(a_task().id), at=NOW)
            assert await uow.api_keys.get(key.id, hold=True) == replace(key, last_used_at=NOW)
            assert await uow.api_keys.get(other.id) == other

    async def test_what_is_revoked_stays_so(self, new_uow: NewUnitOfWork) -> None:
        key = an_api_key()
        async with new_uow() as uow:
            await uow.api_keys.add(replace(key, revoked_at=NOW))
            await uow.api_keys.add(replace(key, name="read before", revoked_at=None))
            assert await uow.api_keys.get(key.id) == replace(key, name="read before", revoked_at=NOW)

    async def test_adding_again_replaces(self, new_uow: NewUnitOfWork) -> None:
        key = an_api_key()
        changed = an_api_key(id=key.id, name="desk", revoked_at=NOW)
        async with new_uow() as uow:
            await uow.api_keys.add(key)
            await uow.api_keys.add(changed)
            assert await uow.api_keys.all() == [changed]
            assert await uow.api_keys.by_digest(key.digest) is None
