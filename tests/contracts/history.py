"""What is promised of an owner's history: filters, equal content, batches. Bindings give `new_uow`, empty."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from uuid import UUID

from adapters.system import Uuid7Factory
from application.ports.persistence import NewUnitOfWork
from application.ports.task_filter import TaskFilter
from domain.batch import Batch, RefusedItem
from domain.content import content_digest
from domain.options import TranscriptionOptions
from domain.search import text_parts
from domain.task import BatchId, OwnerId, Task, TaskId, TaskKind, TaskStatus
from tests.builders import NOW, OWNER, a_task
from tests.contracts.suite import Suite
from tests.contracts.unit_of_work import read, stored

DAY = timedelta(days=1)
_new_id = Uuid7Factory().new
OTHER = OwnerId(UUID(int=9))


def at(days: int, **changes: object) -> Task:
    """A task of some day, its id and its creation of one mind, as they are in life."""
    created = NOW + days * DAY
    made = UUID(int=int(created.timestamp() * 1000) << 80 | _new_id().int & (1 << 80) - 1)
    return a_task(id=TaskId(made), created_at=created, **changes)


def a_batch(**changes: object) -> Batch:
    batch = Batch(id=BatchId(_new_id()), owner=OWNER, created_at=NOW, size=3)
    return replace(batch, **changes)  # type: ignore[arg-type] # of fields by their names


class HistoryContract(Suite):
    """Filters over tasks."""

    async def found(self, new_uow: NewUnitOfWork, **asked: object) -> list[TaskId]:
        only = TaskFilter(**asked)  # type: ignore[arg-type] # of fields by their names
        async with new_uow() as uow:
            return [task.id for task in await uow.tasks.page(OWNER, before=None, limit=50, only=only)]

    async def test_each_filter_alone(self, new_uow: NewUnitOfWork) -> None:
        batch = BatchId(_new_id())
        done = at(1, status=TaskStatus.DONE, language="en", tags=("a", "b"))
        failed = at(2, status=TaskStatus.ERROR, options=TranscriptionOptions(language="de"), tags=("a",))
        queued = at(3, options=TranscriptionOptions(language="en"), batch=batch)
        renamed = at(4, status=TaskStatus.DONE, options=TranscriptionOptions(language="en"), language="fr")
        await stored(new_uow, failed, done, renamed, queued, at(2, owner=OTHER, tags=("a",), batch=batch))
        for asked, expected in (
            ({}, [renamed, queued, failed, done]),
            ({"statuses": frozenset({TaskStatus.DONE})}, [renamed, done]),
            ({"statuses": frozenset({TaskStatus.DONE, TaskStatus.ERROR})}, [renamed, failed, done]),
            ({"statuses": frozenset(TaskStatus)}, [renamed, queued, failed, done]),
            ({"created_after": NOW + 2 * DAY}, [renamed, queued]),
            ({"created_before": NOW + 2 * DAY}, [done]),
            ({"created_after": NOW + DAY, "created_before": NOW + 4 * DAY}, [queued, failed]),
            ({"language": "en"}, [queued, done]),
            ({"language": "auto"}, []),
            ({"tags": ("a",)}, [failed, done]),
            ({"tags": ("b", "a")}, [done]),
            ({"tags": ("A",)}, []),
            ({"batch": batch}, [queued]),
        ):
            assert await self.found(new_uow, **asked) == [task.id for task in expected], asked

    async def test_filters_together_are_all_of_them(self, new_uow: NewUnitOfWork) -> None:
        batch = BatchId(_new_id())
        match = at(2, status=TaskStatus.DONE, language="en", tags=("a", "b"), batch=batch)
        asked: dict[str, object] = {
            "statuses": frozenset({TaskStatus.DONE, TaskStatus.QUEUED}),
            "created_after": NOW + DAY,
            "created_before": NOW + 3 * DAY,
            "language": "en",
            "tags": ("a", "b"),
            "batch": batch,
        }
        misses = [
            at(2, status=TaskStatus.ERROR, language="en", tags=("a", "b"), batch=batch),
            at(1, status=TaskStatus.DONE, language="en", tags=("a", "b"), batch=batch),
            at(3, status=TaskStatus.DONE, language="en", tags=("a", "b"), batch=batch),
            at(2, status=TaskStatus.DONE, language="de", tags=("a", "b"), batch=batch),
            at(2, status=TaskStatus.DONE, language="en", tags=("a",), batch=batch),
            at(2, status=TaskStatus.DONE, language="en", tags=("a", "b")),
        ]
        await stored(new_uow, *misses, match)
        assert await self.found(new_uow, **asked) == [match.id]
        for two in combinations(asked, 2):
            assert match.id in await self.found(new_uow, **{name: asked[name] for name in two}), two

    async def test_pages_of_a_filter_are_whole_while_tasks_come(self, new_uow: NewUnitOfWork) -> None:
        only = TaskFilter(statuses=frozenset({TaskStatus.DONE, TaskStatus.ERROR}), tags=("a",))
        statuses = (TaskStatus.DONE, TaskStatus.ERROR, TaskStatus.QUEUED)
        kept = [at(day, status=statuses[day % 3], tags=("a", f"t{day}")) for day in range(12)]
        await stored(new_uow, *kept)
        seen: list[TaskId] = []
        before: TaskId | None = None
        while True:
            async with new_uow() as uow:
                page = await uow.tasks.page(OWNER, before=before, limit=3, only=only)
            seen += [task.id for task in page]
            if len(page) < 3:
                break
            before = page[-1].id
            await stored(new_uow, at(20, status=TaskStatus.DONE, tags=("a",)))
        assert seen == [task.id for task in kept[::-1] if task.status in only.statuses]

    async def test_pages_from_the_oldest_on_are_the_same_ones(self, new_uow: NewUnitOfWork) -> None:
        statuses = (TaskStatus.DONE, TaskStatus.ERROR)
        kept = [at(day, status=statuses[day % 2], tags=("a",) if day % 3 else ()) for day in range(7)]
        await stored(new_uow, *kept)
        for asked in (TaskFilter(), TaskFilter(statuses=frozenset(TaskStatus)), TaskFilter(tags=("a",))):
            async with new_uow() as uow:
                newest = await uow.tasks.page(OWNER, before=None, limit=50, only=asked)
                only, seen = replace(asked, oldest_first=True), list[TaskId]()
                while page := await uow.tasks.page(OWNER, before=seen[-1] if seen else None, limit=2, only=only):
                    seen += [task.id for task in page]
            assert seen == [task.id for task in newest][::-1]

    async def test_any_instant_may_be_asked_for(self, new_uow: NewUnitOfWork) -> None:
        task = at(0)
        await stored(new_uow, task)
        ages = NOW.replace(year=1), NOW.replace(year=9999, month=12, day=31)
        assert await self.found(new_uow, created_after=ages[0], created_before=ages[1]) == [task.id]
        assert await self.found(new_uow, created_after=ages[1]) == []
        assert await self.found(new_uow, created_before=ages[0]) == []

    async def test_an_id_of_a_clock_that_is_wrong_is_found_by_the_right_time(self, new_uow: NewUnitOfWork) -> None:
        late, early = replace(at(0), created_at=NOW - DAY / 2), replace(at(0), created_at=NOW + DAY / 2)
        await stored(new_uow, late, early)
        assert await self.found(new_uow, created_before=NOW) == [late.id]
        assert await self.found(new_uow, created_after=NOW) == [early.id]

    async def test_tags_that_change_are_found_as_they_are(self, new_uow: NewUnitOfWork) -> None:
        task = at(0, tags=("old", "kept"))
        await stored(new_uow, task)
        for read_before in (True, False):
            async with new_uow() as uow:
                mine = await uow.tasks.get(task.id) if read_before else task
                assert mine is not None
                tag = f"new{read_before}"
                mine.labelled(title="Board", tags=("kept", tag), now=NOW)
                await uow.tasks.save(mine)
                await uow.commit()
                task = mine
            assert await self.found(new_uow, tags=("old",)) == []
            assert await self.found(new_uow, tags=(tag, "kept")) == [task.id]
        async with new_uow() as uow:
            await uow.tasks.delete(task.id)
            await uow.commit()
        assert await self.found(new_uow, tags=("kept",)) == []

    async def test_a_search_heeds_the_filter(self, new_uow: NewUnitOfWork) -> None:
        tagged, plain = at(1, tags=("a",), status=TaskStatus.DONE), at(2, status=TaskStatus.DONE)
        await stored(new_uow, tagged, plain)
        async with new_uow() as uow:
            for task in (tagged, plain):
                await uow.texts.put(task.id, text_parts(["the budget of march"]))
            for only, expected in (
                (TaskFilter(tags=("a",)), [tagged]),
                (TaskFilter(statuses=frozenset({TaskStatus.DONE})), [plain, tagged]),
                (TaskFilter(statuses=frozenset({TaskStatus.ERROR})), []),
                (TaskFilter(created_after=NOW + 3 * DAY / 2), [plain]),
            ):
                hits = await uow.texts.find(OWNER, ["budg"], before=None, limit=9, only=only)
                assert [hit.task.id for hit in hits] == [task.id for task in expected]

    async def test_the_same_content_is_found_where_it_is_of_use(self, new_uow: NewUnitOfWork) -> None:
        options = TranscriptionOptions(language="de")
        done = at(1, options=options, status=TaskStatus.DONE)
        content = content_digest(options, done.media.sha256)
        useless = [
            at(2, options=options, status=TaskStatus.ERROR),
            at(3, options=options, status=TaskStatus.CANCELLED),
            at(4, options=options, cancel_requested=True),
            at(5, options=options, status=TaskStatus.DONE, kind=TaskKind.REVISE),
            at(6, status=TaskStatus.DONE),
            at(7, options=options, status=TaskStatus.DONE, owner=OTHER),
            at(8, options=options, media=replace(done.media, sha256="")),
        ]
        await stored(new_uow, *useless, done)
        async with new_uow() as uow:
            assert await uow.tasks.same(OWNER, content) == done
            assert await uow.tasks.same(OWNER, "0" * 64) is None
        queued = at(9, options=options)
        await stored(new_uow, queued)
        async with new_uow() as uow:
            assert await uow.tasks.same(OWNER, content) == queued
            await uow.tasks.delete(queued.id)
            await uow.tasks.delete(done.id)
            assert await uow.tasks.same(OWNER, content) is None
        assert await read(new_uow, done.id) == done


class BatchRepositoryContract(Suite):
    """Batches."""

    async def test_every_field_comes_back(self, new_uow: NewUnitOfWork) -> None:
        refused = (RefusedItem(index=1, filename="März\0.wav", code="empty_file", detail="it has no bytes"),)
        full = a_batch(title="Sitzungen", refused=refused, key="k", fingerprint="ab")
        async with new_uow() as uow:
            assert await uow.batches.add(full)
            await uow.commit()
        async with new_uow() as uow:
            assert await uow.batches.get(full.id) == full
            assert await uow.batches.by_key(OWNER, "k") == full
            assert await uow.batches.get(a_batch().id) is None
            assert await uow.batches.by_key(OTHER, "k") is None

    async def test_a_key_names_one_batch_of_an_owner(self, new_uow: NewUnitOfWork) -> None:
        first = a_batch(key="k")
        async with new_uow() as uow:
            assert await uow.batches.add(first)
            assert not await uow.batches.add(a_batch(key="k"))
            assert await uow.batches.add(a_batch(key="k", owner=OTHER))
            assert await uow.batches.add(a_batch())
            assert await uow.batches.add(a_batch())
            assert await uow.batches.by_key(OWNER, "k") == first
            await uow.batches.forget_keys(before=NOW)
            assert await uow.batches.by_key(OWNER, "k") == first
            await uow.batches.forget_keys(before=NOW + DAY)
            assert await uow.batches.by_key(OWNER, "k") is None
            assert await uow.batches.add(a_batch(key="k"))

    async def test_what_was_refused_is_noted(self, new_uow: NewUnitOfWork) -> None:
        batch = a_batch()
        refused = (RefusedItem(index=0, filename="a", code="empty_file", detail="it has no bytes"),)
        async with new_uow() as uow:
            await uow.batches.add(batch)
            await uow.batches.note(batch.id, refused=refused)
            await uow.batches.note(a_batch().id, refused=refused)
            assert await uow.batches.get(batch.id) == replace(batch, refused=refused)

    async def test_pages_run_from_the_newest_back(self, new_uow: NewUnitOfWork) -> None:
        own = [a_batch() for _ in range(3)]
        async with new_uow() as uow:
            for batch in (*own, a_batch(owner=OTHER)):
                await uow.batches.add(batch)
            first = await uow.batches.page(OWNER, before=None, limit=2)
            assert [*first, *await uow.batches.page(OWNER, before=first[-1].id, limit=2)] == own[::-1]

    async def test_tallies_count_the_tasks(self, new_uow: NewUnitOfWork) -> None:
        one, other, empty = a_batch(), a_batch(), a_batch()
        tasks = [
            a_task(batch=one.id, status=TaskStatus.DONE, progress=1.0, version=4),
            a_task(batch=one.id, status=TaskStatus.DONE, progress=1.0),
            a_task(batch=one.id, progress=0.5),
            a_task(batch=other.id),
            a_task(),
        ]
        await stored(new_uow, *tasks)
        async with new_uow() as uow:
            tallies = await uow.batches.tallies([one.id, empty.id])
            assert set(tallies) == {one.id}
            assert dict(tallies[one.id].counts) == {TaskStatus.DONE: 2, TaskStatus.QUEUED: 1}
            assert tallies[one.id].progress == 2.5
            before = tallies[one.id].changes
            await uow.tasks.save(tasks[2])
            assert (await uow.batches.tallies([one.id]))[one.id].changes == before + 1

    async def test_removing_leaves_the_tasks_and_can_wait_for_them(self, new_uow: NewUnitOfWork) -> None:
        batch, gone = a_batch(), a_batch()
        task = a_task(batch=batch.id)
        await stored(new_uow, task)
        async with new_uow() as uow:
            for each in (batch, gone):
                await uow.batches.add(each)
                await uow.batches.remove(each.id, if_empty=True)
            assert await uow.batches.get(batch.id) == batch
            assert await uow.batches.get(gone.id) is None
            await uow.batches.remove(batch.id)
            await uow.batches.remove(batch.id)
            assert await uow.batches.get(batch.id) is None
            assert await uow.tasks.get(task.id) == task
