"""Revisions made by a worker: other speakers for the same words, whole or not at all; nobody recognises anything."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from adapters.persistence.memory import MemoryUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.scripted.engine import ScriptedEngine
from adapters.system import Uuid7Factory
from application.admit_task import AdmitTask
from application.delete_task import DeleteTask
from application.list_revisions import ListRevisions
from application.ports.asr import RecognitionRequest
from application.ports.diarization import DiarizationRequest
from application.ports.persistence import UnitOfWork
from application.ports.system import ProgressSink
from application.retry_task import RetryTask
from application.revise_task import ReviseTask, SpeakerRequest
from application.revise_transcript import _heard
from domain.errors import EngineFailed
from domain.media import ChannelMode, DecodedAudio
from domain.options import TranscriptionOptions
from domain.span import Span
from domain.speaker import Diarization
from domain.stage import StageName, StageStatus
from domain.task import Task, TaskId, TaskStatus
from domain.transcript import Recognition, Transcript
from tests.application.installation import OWNER, Installation


class Once(ScriptedEngine):
    """Recognises until `spent`; whoever asks it then has broken the promise."""

    spent = False

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        assert not self.spent, "a revision recognises nothing"
        return super().transcribe(audio, window, request, on_progress)


class Meanwhile(ScriptedDiarizer):
    """Has something happen while it works."""

    happens: Callable[[], None] | None = None

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        if self.happens:
            self.happens()
        return super().diarize(audio, request, on_progress)


@dataclass
class Revising(Installation):
    """An installation with a finished task to revise."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.engine = self.once = Once()
        self.diarizer = self.meanwhile = Meanwhile()
        self.unit: type[MemoryUnitOfWork] = MemoryUnitOfWork
        admit = AdmitTask(new_uow=self.new_uow, most=99, most_of_owner=99)
        self.revise = ReviseTask(
            new_uow=self.new_uow, admit=admit, queue=InProcessQueue(), ids=Uuid7Factory(), diarizer=self.diarizer
        )
        self.retry = RetryTask(
            new_uow=self.new_uow, admit=admit, queue=InProcessQueue(), ids=Uuid7Factory(), check=lambda _: None,
            revise=self.revise,
        )  # fmt: skip

    def new_uow(self) -> UnitOfWork:
        return self.unit(self.database)

    async def finished(self, options: TranscriptionOptions | None = None) -> Task:
        task = await self.run(options=options)
        assert task.status is TaskStatus.DONE
        self.once.spent = True
        return task

    async def ask(self, parent: Task, **request: int | ChannelMode) -> Task:
        return await self.revise(OWNER, parent.id, SpeakerRequest(**request))  # type: ignore[arg-type]

    async def read(self, task_id: TaskId) -> Task | None:
        async with self.new_uow() as uow:
            return await uow.tasks.get(task_id)

    async def revisions(self, parent: Task) -> list[tuple[int, UUID]]:
        made = await ListRevisions(new_uow=self.new_uow, blobs=self.blobs)(OWNER, parent.id)
        return [(revision.number, revision.made_by) for revision in made]

    async def keys(self) -> list[str]:
        return [key async for key in self.blobs.list("transcripts/")]


@pytest.fixture
def revising(tmp_path: Path) -> Revising:
    return Revising(tmp_path)


def words(transcript: Transcript) -> list[tuple[Span, str, float | None, str]]:
    return [(word.span, word.text, word.confidence, word.timing) for word in transcript.words]


async def test_the_words_are_kept_and_the_speakers_found_anew(revising: Revising) -> None:
    parent = await revising.finished()
    before = await revising.transcript(parent)
    task = await revising.again(await revising.ask(parent, num_speakers=3))
    assert (task.status, task.revision) == (TaskStatus.DONE, 2)
    after = await revising.transcript(parent)
    assert words(after) == words(before)
    assert {word.speaker for word in before.words} == {"spk_1", "spk_2"}
    assert {word.speaker for word in after.words} == {"spk_1", "spk_2", "spk_3"}
    assert (after.task_id, after.revision, after.language) == (str(parent.id), 2, before.language)
    assert {stage.name: stage.status for stage in after.stages} == {
        StageName.DECODE: StageStatus.RAN,
        StageName.VOICE_ACTIVITY: StageStatus.RAN,
        StageName.RECOGNITION: StageStatus.REUSED,
        StageName.DIARIZATION: StageStatus.RAN,
        StageName.ATTRIBUTION: StageStatus.RAN,
        StageName.SECOND_LOOK: StageStatus.SKIPPED,
    }
    stored = await revising.read(parent.id)
    assert stored is not None
    assert (stored.status, stored.revision, stored.finished_at) == (TaskStatus.DONE, 2, parent.finished_at)
    assert await revising.revisions(parent) == [(1, parent.id), (2, task.id)]
    assert await revising.keys() == [f"transcripts/{parent.id}/{number}.json" for number in (1, 2)]
    assert not list(revising.work.glob(f"{task.id}*"))


async def test_the_same_count_gives_the_same_speakers_again(revising: Revising) -> None:
    parent = await revising.finished(TranscriptionOptions(num_speakers=3))
    before = await revising.transcript(parent)
    await revising.again(await revising.ask(parent, num_speakers=3))
    after = await revising.transcript(parent)
    assert after.segments == before.segments
    assert after.turns == before.turns
    assert after.uncovered_speech == before.uncovered_speech


async def test_a_transcript_without_speakers_gets_some(revising: Revising) -> None:
    parent = await revising.finished(TranscriptionOptions(diarization=False))
    await revising.again(await revising.ask(parent))
    assert {word.speaker for word in (await revising.transcript(parent)).words} == {"spk_1", "spk_2"}


async def test_two_at_once_are_two_revisions(revising: Revising) -> None:
    parent = await revising.finished()
    three, one = await revising.ask(parent, num_speakers=3), await revising.ask(parent, num_speakers=1)
    await asyncio.gather(revising.again(one), revising.again(three))
    assert await revising.revisions(parent) == [(1, parent.id), (2, three.id), (3, one.id)]
    assert len({word.speaker for word in (await revising.transcript(parent)).words}) == 1
    stored = await revising.read(parent.id)
    assert stored is not None
    assert stored.revision == 3


async def test_a_crash_between_bytes_and_rows_makes_no_second_revision(revising: Revising) -> None:
    parent = await revising.finished()
    task = await revising.ask(parent, num_speakers=3)
    falls = [True, True]

    class Falls(MemoryUnitOfWork):
        async def commit(self) -> None:
            if falls and len(await self.revisions.all(parent.id)) > 1:
                falls.pop()
                raise OSError("the power is gone")
            await super().commit()

    revising.unit = Falls
    task = await revising.again(task)
    assert (task.status, await revising.revisions(parent)) == (TaskStatus.QUEUED, [(1, parent.id)])
    assert len(await revising.keys()) == 2, "the bytes came first"
    task = await revising.again(task)
    task = await revising.again(task)
    assert (task.status, task.attempt) == (TaskStatus.DONE, 3)
    assert await revising.revisions(parent) == [(1, parent.id), (2, task.id)]
    assert len(await revising.keys()) == 2


async def test_a_parent_that_is_deleted_leaves_nothing_of_its_revision(revising: Revising) -> None:
    parent = await revising.finished()
    task = await revising.ask(parent)
    loop = asyncio.get_running_loop()
    delete = DeleteTask(new_uow=revising.new_uow, blobs=revising.blobs)
    revising.meanwhile.happens = lambda: asyncio.run_coroutine_threadsafe(delete(OWNER, parent.id), loop).result(5)
    await revising.process()(task.id)
    ended = await revising.read(task.id)
    assert ended is not None
    assert ended.status is TaskStatus.CANCELLED
    assert await revising.keys() == []


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_parents_row_that_vanished_ends_it_cancelled(revising: Revising, when: str) -> None:
    parent = await revising.finished()
    task = await revising.ask(parent)
    loop = asyncio.get_running_loop()

    async def vanish() -> None:
        async with revising.new_uow() as uow:
            await uow.tasks.delete(parent.id)
            await uow.commit()

    if when == "before":
        await vanish()
    else:
        revising.meanwhile.happens = lambda: asyncio.run_coroutine_threadsafe(vanish(), loop).result(5)
    ended = await revising.again(task)
    assert (ended.status, ended.error) == (TaskStatus.CANCELLED, None)
    assert await revising.keys() == [f"transcripts/{parent.id}/1.json"], "what deleting the parent would have removed"


async def test_a_recording_that_is_gone_is_named(revising: Revising) -> None:
    parent = await revising.finished()
    task = await revising.ask(parent)
    await revising.blobs.delete(parent.media.key)
    ended = await revising.again(task)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (TaskStatus.ERROR, "media_purged")


async def test_a_diarizer_that_gives_up_fails_the_revision_and_a_retry_has_a_number_of_its_own(
    revising: Revising,
) -> None:
    parent = await revising.finished()

    def fall() -> None:
        raise EngineFailed("no more", code="out_of_memory")

    revising.meanwhile.happens = fall
    task = await revising.ask(parent, num_speakers=3)
    for _ in range(3):
        task = await revising.again(task)
    assert task.error is not None
    assert (task.status, task.error.code, task.error.detail) == (TaskStatus.ERROR, "out_of_memory", "no more")
    assert await revising.revisions(parent) == [(1, parent.id)]
    revising.meanwhile.happens = None
    again = await revising.retry(OWNER, task.id)
    assert (again.parent, again.revision, again.options) == (parent.id, 3, task.options)
    assert (await revising.again(again)).status is TaskStatus.DONE
    assert await revising.revisions(parent) == [(1, parent.id), (3, again.id)]


async def test_the_release_befores_transcript_is_the_first_revision(revising: Revising) -> None:
    parent = await revising.finished()
    async with revising.new_uow() as uow:
        kept = await uow.revisions.all(parent.id)
    revising.database.rows.revisions.clear()
    derived = await ListRevisions(new_uow=revising.new_uow, blobs=revising.blobs)(OWNER, parent.id)
    assert [replace(revision, created_at=kept[0].created_at) for revision in derived] == list(kept)
    task = await revising.again(await revising.ask(parent))
    assert await revising.revisions(parent) == [(1, parent.id), (2, task.id)]


async def test_channels_that_were_parties_stay_tracks_of_their_own(revising: Revising) -> None:
    before = await revising.transcript(await revising.finished())
    halves = [replace(segment, channel=number % 2) for number, segment in enumerate(before.segments)]
    told = replace(before, segments=tuple(halves))
    found = Diarization(turns=(), exclusive=())
    for split in (True, False):
        heard = _heard(told, found, (), split=split)
        assert heard.split is split
        tracks = [[segment for one in track for segment in one.segments] for track in heard.recognitions]
        assert tracks == [halves[::2], halves[1::2], []]
    assert not _heard(before, found, (), split=True).split, "words of a mix are on no channel"
