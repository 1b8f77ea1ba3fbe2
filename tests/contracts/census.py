"""What every repository of the installation's figures promises, as part of its unit of work."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from application.ports.persistence import NewUnitOfWork
from domain.census import Census, Kept
from domain.clip import Clip, ClipId
from domain.task import MediaSource, TaskId, TaskStatus
from domain.upload import Upload, UploadId
from domain.webhook import DeliveryState
from tests.builders import NOW, OWNER, a_task
from tests.contracts.suite import Suite
from tests.contracts.webhooks import a_delivery, an_endpoint


async def taken(new_uow: NewUnitOfWork) -> Census:
    async with new_uow() as uow:
        return await uow.census.take()


class CensusRepositoryContract(Suite):
    """Figures."""

    async def test_of_nothing_everything_is_nought(self, new_uow: NewUnitOfWork) -> None:
        census = await taken(new_uow)
        assert census == Census(
            tasks=dict.fromkeys(TaskStatus, 0), waiting=0, oldest_s=0.0, running=0, attempts={}, undelivered=0,
            overdue_s=0.0, stored={},
        )  # fmt: skip

    async def test_tasks_are_counted_by_status(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            for status, count in zip(TaskStatus, (3, 0, 4, 1, 2), strict=True):
                for _ in range(count):
                    await uow.tasks.add(a_task(status=status))
            await uow.commit()
        assert (await taken(new_uow)).tasks == dict(zip(TaskStatus, (3, 0, 4, 1, 2), strict=True))

    async def test_only_what_is_due_waits(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            now = await uow.tasks.now()
            for ago in (600, 30, -60):
                await uow.tasks.add(a_task(run_after=now - timedelta(seconds=ago)))
            await uow.commit()
        census = await taken(new_uow)
        assert (census.waiting, census.tasks[TaskStatus.QUEUED]) == (2, 3)
        assert 600 <= census.oldest_s < 660

    async def test_what_is_held_runs(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            now = await uow.tasks.now()
            task = a_task(run_after=now)
            task.claim(worker="w", now=now)
            await uow.tasks.add(task)
            await uow.tasks.add(a_task(run_after=now))
            await uow.commit()
        census = await taken(new_uow)
        assert (census.running, census.waiting, census.tasks[TaskStatus.PROCESSING]) == (1, 1, 1)

    async def test_attempts_are_counted_by_cause(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            for number in range(40):
                await uow.census.attempt_ended("completed", by=number**9)
            await uow.census.attempt_ended("lease_expired", by=2**120)
            await uow.commit()
        census = await taken(new_uow)
        assert census.attempts == {"completed": 40, "lease_expired": 1}
        assert census.expiries == 1

    async def test_what_is_not_committed_is_not_counted(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            await uow.census.attempt_ended("completed", by=1)
        assert (await taken(new_uow)).attempts == {}

    async def test_of_many_at_once_all_are_counted(self, new_uow: NewUnitOfWork) -> None:
        async def count(number: int) -> None:
            async with new_uow() as uow:
                await uow.census.attempt_ended("completed", by=number % 3)
                await uow.commit()

        await asyncio.gather(*[count(number) for number in range(12)])
        assert (await taken(new_uow)).attempts == {"completed": 12}

    async def test_what_was_counted_outlives_its_task(self, new_uow: NewUnitOfWork) -> None:
        task = a_task(status=TaskStatus.DONE)
        async with new_uow() as uow:
            await uow.tasks.add(task)
            await uow.census.attempt_ended("completed", by=task.id.int)
            await uow.commit()
        async with new_uow() as uow:
            await uow.tasks.delete(task.id)
            await uow.commit()
        census = await taken(new_uow)
        assert (census.attempts, census.tasks[TaskStatus.DONE]) == ({"completed": 1}, 0)

    async def test_deliveries_lag_when_they_could_be_sent(self, new_uow: NewUnitOfWork) -> None:
        async with new_uow() as uow:
            now = await uow.tasks.now()
            well, paused = an_endpoint(), replace(an_endpoint(), paused_until=now + timedelta(hours=1))
            ago = {120: well, -60: well, 9_000: paused}
            for endpoint in (well, paused):
                await uow.webhooks.add(endpoint)
            for seconds, endpoint in ago.items():
                await uow.deliveries.add(a_delivery(endpoint, next_at=now - timedelta(seconds=seconds)))
            settled = a_delivery(well, next_at=now - timedelta(hours=3))
            settled.state = DeliveryState.DELIVERED
            await uow.deliveries.add(settled)
            await uow.commit()
        census = await taken(new_uow)
        assert census.undelivered == 3
        assert 120 <= census.overdue_s < 180

    async def test_a_recording_counts_once_and_a_clips_is_the_clips(self, new_uow: NewUnitOfWork) -> None:
        first, again, purged, of_clip = a_task(), a_task(), a_task(), a_task()
        again.media = replace(again.media, key=first.media.key, size=first.media.size)
        purged.purged(now=NOW)
        clip = Clip(id=ClipId(a_task().id), owner=OWNER, filename="c", size=700, sha256="0" * 64, created_at=NOW)
        of_clip.media = clip.source
        others = [a_task() for _ in range(3)]
        for number, task in enumerate(others):
            task.media = MediaSource(key=f"media/{TaskId(task.id)}", filename="x", size=10**number, sha256="")
        upload = Upload(
            id=UploadId(a_task().id), owner=OWNER, filename="u", size=5, sha256="", created_at=NOW,
            expires_at=NOW + timedelta(days=1),
        )  # fmt: skip
        async with new_uow() as uow:
            for task in (first, again, purged, of_clip, *others):
                await uow.tasks.add(task)
            await uow.clips.add(clip)
            await uow.uploads.add(upload)
            await uow.commit()
        async with new_uow() as uow:
            every = await uow.census.recordings(after="", limit=99)
            page = await uow.census.recordings(after="", limit=2)
            rest = await uow.census.recordings(after=max(page), limit=99)
            assert await uow.census.others() == {Kept.CLIPS: 700, Kept.UPLOADS: 5}
        assert dict(every) == {task.media.key: task.media.size for task in (first, *others)}
        assert list(every) == sorted(every)
        assert len(page) == 2
        assert dict(page) | dict(rest) == dict(every)

    async def test_sums_are_remembered_until_the_next(self, new_uow: NewUnitOfWork) -> None:
        for sums in ({Kept.RECORDINGS: 3, Kept.CLIPS: 1}, {Kept.RECORDINGS: 2**50}):
            async with new_uow() as uow:
                await uow.census.stored(sums)
                await uow.commit()
        assert (await taken(new_uow)).stored == {Kept.RECORDINGS: 2**50, Kept.CLIPS: 1}
