"""What every repository of requests' keys promises, as part of its unit of work."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from application.ports.persistence import NewUnitOfWork
from domain.idempotency import Answered, RequestKey
from domain.task import OwnerId, Task, TaskId
from tests.builders import NOW, OWNER, a_task
from tests.contracts.suite import Suite

KEY = RequestKey(owner=OWNER, scope="transcribe", key="Schlüssel „1“")


def answered(task: Task, fingerprint: str = "ab") -> Answered:
    return Answered(fingerprint=fingerprint, task_id=task.id)


class IdempotencyRepositoryContract(Suite):
    """Keys of requests."""

    async def test_the_first_answer_stays(self, new_uow: NewUnitOfWork) -> None:
        first, second = a_task(), a_task()
        async with new_uow() as uow:
            for task in (first, second):
                await uow.tasks.add(task)
            assert await uow.idempotency.get(KEY) is None
            assert await uow.idempotency.add(KEY, answered(first), now=NOW)
            assert not await uow.idempotency.add(KEY, answered(second, "cd"), now=NOW)
            await uow.commit()
        async with new_uow() as uow:
            assert not await uow.idempotency.add(KEY, answered(second, "cd"), now=NOW)
            assert await uow.idempotency.get(KEY) == answered(first)

    async def test_a_key_is_its_owners_and_its_scopes(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        async with new_uow() as uow:
            await uow.tasks.add(task)
            for key in (KEY, replace(KEY, owner=OwnerId(task.id)), replace(KEY, scope="retry"), replace(KEY, key="2")):
                assert await uow.idempotency.add(key, answered(task, key.scope), now=NOW)
                assert await uow.idempotency.get(key) == answered(task, key.scope)

    async def test_what_was_rolled_back_may_be_asked_again(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        async with new_uow() as uow:
            await uow.tasks.add(task)
            assert await uow.idempotency.add(KEY, answered(task), now=NOW)
        async with new_uow() as uow:
            assert await uow.idempotency.get(KEY) is None
            await uow.tasks.add(task)
            assert await uow.idempotency.add(KEY, answered(task), now=NOW)

    async def test_of_many_at_once_one_stores_its_answer_and_all_find_it(self, new_uow: NewUnitOfWork) -> None:
        async def ask() -> tuple[bool, TaskId | None]:
            task = a_task()
            async with new_uow() as uow:
                await uow.tasks.add(task)
                first = await uow.idempotency.add(KEY, answered(task), now=NOW)
                await asyncio.sleep(0.001)
                if first:
                    await uow.commit()
            async with new_uow() as uow:
                found = await uow.idempotency.get(KEY)
                return first, found.task_id if found else None

        asked = await asyncio.gather(*[ask() for _ in range(8)])
        assert sum(first for first, _ in asked) == 1
        assert len({found for _, found in asked}) == 1
        async with new_uow() as uow:
            assert [task.id for task in await uow.tasks.page(OWNER, before=None, limit=9)] == [asked[0][1]]

    async def test_an_answer_goes_with_its_task(self, new_uow: NewUnitOfWork) -> None:
        task, other = a_task(), a_task()
        async with new_uow() as uow:
            for each in (task, other):
                await uow.tasks.add(each)
            await uow.idempotency.add(KEY, answered(task), now=NOW)
            await uow.tasks.delete(task.id)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.idempotency.get(KEY) is None
            assert await uow.idempotency.add(KEY, answered(other), now=NOW)

    async def test_the_old_are_forgotten(self, new_uow: NewUnitOfWork) -> None:
        task, old = a_task(), replace(KEY, key="old")
        async with new_uow() as uow:
            await uow.tasks.add(task)
            await uow.idempotency.add(old, answered(task), now=NOW - timedelta(microseconds=1))
            await uow.idempotency.add(KEY, answered(task), now=NOW)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.idempotency.forget(before=NOW) == 1
            assert await uow.idempotency.forget(before=NOW) == 0
            assert await uow.idempotency.get(old) is None
            assert await uow.idempotency.get(KEY) == answered(task)
