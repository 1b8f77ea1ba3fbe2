"""What is promised of the rows beside a transcript: revisions, edits, texts. Bindings give `new_uow`, empty."""

from dataclasses import replace
from uuid import UUID

from application.ports.persistence import NewUnitOfWork
from application.ports.revisions import Revision
from domain.edits import Change, Edit, EditKind
from domain.options import TranscriptionOptions
from domain.search import query_terms, text_parts
from domain.span import Span
from domain.stage import Stage, StageName, StageStatus
from domain.task import OwnerId, TaskKind
from tests.builders import NOW, OWNER, a_task
from tests.contracts.suite import Suite
from tests.contracts.unit_of_work import stored

STAGE = Stage(name=StageName.DIARIZATION, status=StageStatus.RAN, engine="acoustic", seconds=1.25)
EDIT = Edit(
    seq=1, revision=1, change=Change(kind=EditKind.RENAME, speaker="spk_1", name="Zoë “Z”\0"), created_at=NOW
)  # fmt: skip
HOSTILE = [
    "' OR 1=1 --", '"', "a & b | !c", "NEAR(a b)", "a:* <-> b", "*", "(", "\\", "\0", "%", "_", "it's", "x" * 10_000,
    "a b c d e f g h i j k l m n o p q r s t u v", "\ud800", "-", "';DROP TABLE tasks;", ":a", "ﬁ ℻ ½", "a\u0301",
]  # fmt: skip


def a_revision(**changes: object) -> Revision:
    revision = Revision(
        task_id=a_task().id, number=1, made_by=a_task().id, created_at=NOW, stages=(STAGE,),
        options=TranscriptionOptions(num_speakers=3, hotwords=("naïve",)),
    )  # fmt: skip
    return replace(revision, **changes)  # type: ignore[arg-type]  # of fields by their names


class RevisionRepositoryContract(Suite):
    """Revisions."""

    async def test_revisions_come_back_by_number(self, new_uow: NewUnitOfWork) -> None:
        task, other = a_task(), a_task()
        await stored(new_uow, task, other)
        kept = [a_revision(task_id=task.id, number=number) for number in (1, 2, 10)]
        async with new_uow() as uow:
            for revision in kept[::-1]:
                await uow.revisions.add(revision)
            await uow.commit()
        async with new_uow() as uow:
            assert list(await uow.revisions.all(task.id)) == kept
            assert list(await uow.revisions.all(other.id)) == []

    async def test_the_highest_number_counts_what_is_in_work(self, new_uow: NewUnitOfWork) -> None:
        task = a_task(revision=2)
        retried = a_task(parent=task.id, revision=9)
        await stored(new_uow, task, retried)
        async with new_uow() as uow:
            assert await uow.revisions.highest(task.id) == 2
            await uow.tasks.add(a_task(kind=TaskKind.REVISE, parent=task.id, revision=4))
            assert await uow.revisions.highest(task.id) == 4
            assert await uow.revisions.highest(a_task().id) == 0

    async def test_they_go_with_their_task(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        await stored(new_uow, task)
        async with new_uow() as uow:
            await uow.revisions.add(a_revision(task_id=task.id))
            await uow.edits.add(task.id, EDIT)
            await uow.texts.put(task.id, text_parts(["erased words"]))
            await uow.tasks.delete(task.id)
            await uow.tasks.add(task)
            await uow.commit()
        async with new_uow() as uow:
            assert list(await uow.revisions.all(task.id)) == []
            assert list(await uow.edits.all(task.id)) == []
            assert list(await uow.texts.find(OWNER, ["erased"], before=None, limit=9)) == []


class EditRepositoryContract(Suite):
    """Edits."""

    async def test_edits_come_back_by_number_and_whole(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        await stored(new_uow, task)
        more = Change(kind=EditKind.REASSIGN, into="guest", span=Span(0, 9), channel=1)
        kept = [EDIT, replace(EDIT, seq=2, change=more, revision=3), replace(EDIT, seq=10, undone_at=NOW)]
        async with new_uow() as uow:
            for edit in kept[::-1]:
                await uow.edits.add(task.id, edit)
            await uow.commit()
        async with new_uow() as uow:
            assert list(await uow.edits.all(task.id)) == kept

    async def test_undoing_marks_once(self, new_uow: NewUnitOfWork) -> None:
        task, other = a_task(), a_task()
        await stored(new_uow, task, other)
        async with new_uow() as uow:
            await uow.edits.add(task.id, EDIT)
            await uow.edits.add(other.id, EDIT)
            await uow.edits.undo(task.id, 1, NOW)
            await uow.edits.undo(task.id, 1, NOW.replace(year=2030))
            await uow.edits.undo(task.id, 7, NOW)
            assert list(await uow.edits.all(task.id)) == [replace(EDIT, undone_at=NOW)]
            assert list(await uow.edits.all(other.id)) == [EDIT]


class TranscriptTextsContract(Suite):
    """Texts."""

    async def found(self, new_uow: NewUnitOfWork, query: str, owner: OwnerId = OWNER) -> list[UUID]:
        async with new_uow() as uow:
            return [hit.task.id for hit in await uow.texts.find(owner, query_terms(query), before=None, limit=50)]

    async def test_every_term_must_be_somewhere(self, new_uow: NewUnitOfWork) -> None:
        budget, weather, foreign = a_task(), a_task(), a_task(owner=OwnerId(UUID(int=9)))
        await stored(new_uow, budget, weather, foreign)
        filler = "and so on " * 900
        async with new_uow() as uow:
            await uow.texts.put(budget.id, text_parts(["Das Budget für Größe 7,", filler, "sagte Zoë: 東京都へ行く。"]))
            await uow.texts.put(weather.id, text_parts(["Budgeted weather in Tokyo"]))
            await uow.texts.put(foreign.id, text_parts(["Das Budget"]))
            await uow.commit()
        assert await self.found(new_uow, "BUDGET") == [weather.id, budget.id]
        assert await self.found(new_uow, "budget grösse") == [budget.id]
        assert await self.found(new_uow, "zoë budget") == [budget.id], "the terms may stand in different parts"
        assert await self.found(new_uow, "京都") == [budget.id]
        assert await self.found(new_uow, "都") == [budget.id]
        assert await self.found(new_uow, "weath") == [weather.id], "the beginning of a word is enough"
        assert await self.found(new_uow, "eather") == []
        assert await self.found(new_uow, "budget nowhere") == []
        async with new_uow() as uow:
            (hit,) = await uow.texts.find(OWNER, query_terms("zoë"), before=None, limit=1)
            assert "Zoë" in hit.text
            assert hit.task == budget

    async def test_pages_run_from_the_newest_back(self, new_uow: NewUnitOfWork) -> None:
        tasks = [a_task() for _ in range(5)]
        await stored(new_uow, *tasks)
        async with new_uow() as uow:
            for task in tasks:
                await uow.texts.put(task.id, text_parts(["the same words"]))
            await uow.commit()
        async with new_uow() as uow:
            first = await uow.texts.find(OWNER, ["same"], before=None, limit=2)
            rest = await uow.texts.find(OWNER, ["same"], before=first[-1].task.id, limit=9)
        assert [hit.task.id for hit in (*first, *rest)] == [task.id for task in tasks[::-1]]

    async def test_what_is_put_again_takes_the_place(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        await stored(new_uow, task)
        async with new_uow() as uow:
            await uow.texts.put(task.id, text_parts(["old " * 5_000]))
            await uow.texts.put(task.id, text_parts(["new"]))
            await uow.commit()
        assert await self.found(new_uow, "old") == []
        assert await self.found(new_uow, "new") == [task.id]

    async def test_odd_texts_and_queries_do_no_harm(self, new_uow: NewUnitOfWork) -> None:
        task, others = a_task(), a_task()
        await stored(new_uow, task, others)
        async with new_uow() as uow:
            await uow.texts.put(task.id, text_parts(text.replace("\0", "").replace("\ud800", "") for text in HOSTILE))
            await uow.commit()
        for query in HOSTILE:
            if query_terms(query):
                assert await self.found(new_uow, query) in ([], [task.id]), query
        assert await self.found(new_uow, "x" * 10_000) == [task.id]
        assert await self.found(new_uow, "a\u0301") == [task.id]

    async def test_a_long_transcript_of_all_different_words_fits(self, new_uow: NewUnitOfWork) -> None:
        task = a_task()
        await stored(new_uow, task)
        lines = [" ".join(f"word{number}and{number}" for number in range(at, at + 10)) for at in range(0, 72_000, 10)]
        async with new_uow() as uow:
            await uow.texts.put(task.id, text_parts(lines))
            await uow.commit()
        assert await self.found(new_uow, "word71999and71999 word0and0") == [task.id]
