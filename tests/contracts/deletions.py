"""What every store of deletions, of what is kept and of chores promises. Bindings give `new_uow`, over an empty one."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from application.ports.deletions import Holding
from application.ports.persistence import NewUnitOfWork
from domain.deletion import Deletion, DeletionReason, Removed
from domain.task import OwnerId, Retention, Task, TaskKind, TaskStatus
from tests.builders import NOW, OWNER, a_running_task, a_task, an_api_key
from tests.contracts.suite import Suite
from tests.contracts.unit_of_work import stored

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def a_deletion(**changes: object) -> Deletion:
    task = a_task()
    made = Deletion.of(task, reason=DeletionReason.CALLER, now=NOW, in_work=True)
    return replace(made, **changes)  # type: ignore[arg-type]


def an_ended_task(**changes: object) -> Task:
    return a_task(**({"status": TaskStatus.DONE, "finished_at": NOW, "revision": 1} | changes))


def a_revision_of(parent: Task, status: TaskStatus = TaskStatus.PROCESSING, **changes: object) -> Task:
    return a_task(kind=TaskKind.REVISE, parent=parent.id, media=parent.media, status=status, **changes)


class DeletionRepositoryContract(Suite):
    """Tombstones."""

    async def test_every_field_comes_back_and_is_saved(self, new_uow: NewUnitOfWork) -> None:
        plain = a_deletion()
        full = replace(
            plain,
            removed=Removed(recordings=1, transcripts=2, bytes=2**40, shared=True),
            completed_at=NOW + DAY,
        )
        async with new_uow() as uow:
            await uow.deletions.add(plain)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.deletions.get(plain.task_id) == plain
            await uow.deletions.save(full)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.deletions.get(plain.task_id) == full
            assert await uow.deletions.get(a_task().id) is None

    async def test_what_was_removed_may_be_nothing(self, new_uow: NewUnitOfWork) -> None:
        made = a_deletion(removed=Removed())
        async with new_uow() as uow:
            await uow.deletions.add(made)
            assert await uow.deletions.get(made.task_id) == made

    async def test_adding_again_changes_nothing(self, new_uow: NewUnitOfWork) -> None:
        first = a_deletion()
        second = replace(first, reason=DeletionReason.RETENTION, requested_at=NOW + DAY)
        async with new_uow() as uow:
            await uow.deletions.add(first)
            await uow.deletions.add(second)
            assert await uow.deletions.get(first.task_id) == first

    async def test_a_tombstone_needs_no_task_and_outlives_it(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        await stored(new_uow, task)
        async with new_uow() as uow:
            await uow.deletions.add(Deletion.of(task, reason=DeletionReason.CALLER, now=NOW, in_work=False))
            await uow.tasks.delete(task.id)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.deletions.get(task.id) is not None

    async def test_pages_run_downwards_and_are_the_owners(self, new_uow: NewUnitOfWork) -> None:
        own = [a_deletion() for _ in range(3)]
        async with new_uow() as uow:
            for each in (*own, a_deletion(owner=OwnerId(an_api_key().id))):
                await uow.deletions.add(each)
            first = await uow.deletions.page(OWNER, before=None, limit=2)
            assert [*first, *await uow.deletions.page(OWNER, before=first[-1].task_id, limit=2)] == own[::-1]

    async def test_unfinished_come_oldest_first(self, new_uow: NewUnitOfWork) -> None:
        late, early = a_deletion(requested_at=NOW + SECOND), a_deletion()
        async with new_uow() as uow:
            for each in (late, early, a_deletion(completed_at=NOW)):
                await uow.deletions.add(each)
            assert list(await uow.deletions.unfinished(limit=5)) == [early.task_id, late.task_id]
            assert list(await uow.deletions.unfinished(limit=1)) == [early.task_id]


class KeepingRepositoryContract(Suite):
    """What is kept and what is due."""

    async def test_holders_are_those_that_have_not_purged_it(self, new_uow: NewUnitOfWork) -> None:
        task = an_ended_task()
        again = an_ended_task(parent=task.id, media=task.media)
        purged = an_ended_task(media=task.media, media_purged_at=NOW)
        revising, revised = a_revision_of(task), a_revision_of(task, TaskStatus.DONE)
        stopping = a_revision_of(task, cancel_requested=True)
        await stored(new_uow, task, again, purged, revising, revised, stopping, a_task())
        async with new_uow() as uow:
            assert await uow.keeping.holders(task.media.key) == 3
            assert await uow.keeping.held([task.media.key, "media/none"]) == {task.media.key}
            for gone in (task, again, revising):
                await uow.tasks.delete(gone.id)
            assert await uow.keeping.holders(task.media.key) == 0
            assert await uow.keeping.held([task.media.key]) == set()

    async def test_revising_are_the_parents_revisions_alone(self, new_uow: NewUnitOfWork) -> None:
        task = an_ended_task()
        running, ended = a_revision_of(task), a_revision_of(task, TaskStatus.DONE)
        await stored(new_uow, task, ended, running, a_task(parent=task.id), a_revision_of(a_task()))
        async with new_uow() as uow:
            assert set(await uow.keeping.revising(task.id)) == {running.id, ended.id}
            assert list(await uow.keeping.revising(running.id)) == []

    async def test_media_is_due_by_its_age_after_the_end(self, new_uow: NewUnitOfWork) -> None:
        day, at_once, hour = Retention(media=DAY), Retention(media=timedelta()), Retention(media=DAY / 24)
        due = an_ended_task(retention=day, finished_at=NOW - DAY)
        failed = an_ended_task(retention=day, finished_at=NOW - 2 * DAY, status=TaskStatus.ERROR)
        soon, now = an_ended_task(retention=hour, finished_at=NOW - DAY), an_ended_task(retention=at_once)
        others = [
            an_ended_task(retention=day, finished_at=NOW - DAY + SECOND),
            an_ended_task(retention=Retention(transcript=timedelta()), finished_at=NOW - DAY),
            an_ended_task(finished_at=NOW - 999 * DAY),
            an_ended_task(retention=day, finished_at=NOW - 2 * DAY, media_purged_at=NOW - DAY),
            a_task(retention=at_once),
            replace(a_running_task(now=NOW - 3 * DAY), retention=at_once),
            a_revision_of(due, TaskStatus.DONE, retention=at_once, finished_at=NOW - DAY),
        ]
        await stored(new_uow, due, failed, soon, now, *others)
        async with new_uow() as uow:
            assert set(await uow.keeping.media_due(now=NOW, limit=9)) == {due.id, failed.id, soon.id, now.id}
            assert len(await uow.keeping.media_due(now=NOW, limit=2)) == 2

    async def test_transcripts_are_due_unless_somebody_revises_them(self, new_uow: NewUnitOfWork) -> None:
        month = Retention(transcript=30 * DAY)
        due = an_ended_task(retention=month, finished_at=NOW - 30 * DAY)
        in_work = an_ended_task(retention=month, finished_at=NOW - 40 * DAY)
        revised = an_ended_task(retention=month, finished_at=NOW - 40 * DAY)
        early = an_ended_task(retention=month, finished_at=NOW - 30 * DAY + SECOND)
        children = a_revision_of(in_work), a_revision_of(revised, TaskStatus.CANCELLED)
        await stored(new_uow, due, in_work, revised, early, *children, a_task(retention=month))
        async with new_uow() as uow:
            assert set(await uow.keeping.transcripts_due(now=NOW, limit=9)) == {due.id, revised.id}

    async def test_holdings_come_in_batches_by_id(self, new_uow: NewUnitOfWork) -> None:
        done, running, queued = an_ended_task(revision=2), a_running_task(), a_task()
        purged = an_ended_task(media_purged_at=NOW)
        revising = a_revision_of(done, revision=1)
        every = sorted((done, running, queued, purged, revising), key=lambda task: task.id)
        await stored(new_uow, *every)
        found: list[Holding] = []
        async with new_uow() as uow:
            while batch := await uow.keeping.holdings(after=found[-1].task_id if found else None, limit=2):
                found += batch
        assert [each.task_id for each in found] == [task.id for task in every]
        by_id = {each.task_id: each for each in found}
        assert by_id[done.id] == Holding(task_id=done.id, media_key=done.media.key, revision=2, at_rest=False)
        assert by_id[purged.id] == Holding(task_id=purged.id, media_key=None, revision=1, at_rest=True)
        assert by_id[revising.id].media_key == done.media.key
        async with new_uow() as uow:
            some = await uow.keeping.holding([done.id, running.id, a_task().id])
        assert sorted(some, key=lambda each: each.task_id) == [by_id[done.id], by_id[running.id]]
        assert by_id[revising.id].revision == 0
        assert not by_id[running.id].at_rest
        assert not by_id[queued.id].at_rest


class ChoreRepositoryContract(Suite):
    """Turns at chores."""

    async def test_one_of_many_gets_the_turn(self, new_uow: NewUnitOfWork) -> None:
        async def take(name: str, every: timedelta) -> bool:
            async with new_uow() as uow:
                taken = await uow.chores.take(name, every=every)
                await uow.commit()
                return taken

        assert sum(await asyncio.gather(*[take("sweep", DAY) for _ in range(5)])) == 1
        assert not await take("sweep", DAY)
        assert await take("dust", timedelta())
        assert await take("dust", timedelta())

    async def test_a_turn_that_was_not_committed_is_not_taken(self, new_uow: NewUnitOfWork) -> None:
        for _ in range(2):
            async with new_uow() as uow:
                assert await uow.chores.take("sweep", every=DAY)

    async def test_the_turn_comes_again(self, new_uow: NewUnitOfWork) -> None:
        async def take() -> bool:
            async with new_uow() as uow:
                taken = await uow.chores.take("sweep", every=timedelta(seconds=1))
                await uow.commit()
                return taken

        assert await take()
        assert not await take()
        await asyncio.sleep(1.05)
        assert await take()
