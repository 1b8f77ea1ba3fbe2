"""What every repository of clips promises, as part of its unit of work."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from adapters.system import Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from domain.clip import Clip, ClipId
from domain.task import OwnerId, TaskId
from tests.builders import NOW, OWNER, a_task
from tests.contracts.suite import Suite

_new_id = Uuid7Factory().new
DAY = timedelta(days=1)


def a_clip(**changes: Any) -> Clip:
    clip = Clip(id=ClipId(_new_id()), owner=OWNER, filename="März.wav", size=2**40, sha256="ab" * 32, created_at=NOW)
    return replace(clip, **changes)


async def added(new_uow: NewUnitOfWork, *clips: Clip) -> None:
    async with new_uow() as uow:
        for clip in clips:
            await uow.clips.add(clip)
        await uow.commit()


class ClipRepositoryContract(Suite):
    """Clips."""

    async def test_what_was_added_is_there_until_it_is_removed(self, new_uow: NewUnitOfWork) -> None:
        kept, removed = a_clip(expires_at=NOW + DAY, uses=3), a_clip()
        await added(new_uow, kept, removed)
        async with new_uow() as uow:
            assert await uow.clips.remove(removed.id)
            assert not await uow.clips.remove(removed.id)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.clips.get(kept.id) == kept
            assert await uow.clips.get(removed.id) is None
            assert await uow.clips.remove(kept.id)
        async with new_uow() as uow:
            assert await uow.clips.get(kept.id) == kept, "a transaction that did not commit removed nothing"

    async def test_uses_are_counted(self, new_uow: NewUnitOfWork) -> None:
        clip, other = a_clip(), a_clip()
        await added(new_uow, clip, other)
        async with new_uow() as uow:
            assert await uow.clips.use(clip.id)
            assert await uow.clips.use(clip.id)
            assert not await uow.clips.use(a_clip().id)
            assert await uow.clips.get(clip.id) == replace(clip, uses=2)
            assert await uow.clips.get(other.id) == other

    async def test_each_owner_has_pages_newest_first(self, new_uow: NewUnitOfWork) -> None:
        first, second, third = (a_clip() for _ in range(3))
        await added(new_uow, second, a_clip(owner=OwnerId(_new_id())), third, first)
        async with new_uow() as uow:
            assert list(await uow.clips.page(OWNER, before=None, limit=2)) == [third, second]
            assert list(await uow.clips.page(OWNER, before=second.id, limit=2)) == [first]
            assert list(await uow.clips.page(OwnerId(_new_id()), before=None, limit=2)) == []

    async def test_everybodys_come_by_id_upwards(self, new_uow: NewUnitOfWork) -> None:
        first, second, third = a_clip(), a_clip(owner=OwnerId(_new_id())), a_clip()
        await added(new_uow, third, first, second)
        async with new_uow() as uow:
            assert list(await uow.clips.every(after=None, limit=2)) == [first, second]
            assert list(await uow.clips.every(after=second.id, limit=2)) == [third]

    async def test_the_expired_come_oldest_first(self, new_uow: NewUnitOfWork) -> None:
        fresh, *old = (a_clip(expires_at=NOW - days * DAY) for days in (-1, 0, 2, 1))
        await added(new_uow, a_clip(), fresh, *old)
        async with new_uow() as uow:
            assert list(await uow.clips.expired(by=NOW, limit=9)) == [old[1].id, old[2].id, old[0].id]
            assert list(await uow.clips.expired(by=NOW, limit=1)) == [old[1].id]

    async def test_a_clips_length_is_what_its_tasks_found(self, new_uow: NewUnitOfWork) -> None:
        clip, other = a_clip(), a_clip()
        await added(new_uow, clip, other)
        async with new_uow() as uow:
            await uow.tasks.add(a_task(media=clip.source))
            assert await uow.clips.duration(clip.id) is None
            await uow.tasks.add(a_task(media=clip.source, duration=61_000))
            assert await uow.clips.duration(clip.id) == 61_000
            assert await uow.clips.duration(other.id) is None

    async def test_a_clip_holds_its_recording_beside_its_tasks(self, new_uow: NewUnitOfWork) -> None:
        clip = a_clip()
        task = a_task(id=TaskId(_new_id()), media=clip.source)
        await added(new_uow, clip)
        async with new_uow() as uow:
            assert await uow.keeping.holders(clip.key) == 1
            assert await uow.keeping.held([clip.key, a_clip().key]) == {clip.key}
            await uow.tasks.add(task)
            assert await uow.keeping.holders(clip.key) == 2
            await uow.clips.remove(clip.id)
            assert await uow.keeping.holders(clip.key) == 1
            assert await uow.keeping.held([clip.key]) == {clip.key}
            await uow.tasks.delete(task.id)
            assert await uow.keeping.holders(clip.key) == 0
            assert await uow.keeping.held([clip.key]) == set()
