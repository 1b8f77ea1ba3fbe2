"""R-15: a task may be deleted at any moment of its work; the worker stops, and nothing of it is made again."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.storage.memory import MemoryBlobStore
from application import hold
from application.delete_task import QueryDeletions
from application.erase import Erase, FinishErasures
from application.ports.blobs import BlobInfo
from domain.deletion import DeletionReason
from domain.errors import TaskNotFound
from domain.task import Task, TaskId, TaskKind, TaskStatus, transcript_key
from infrastructure.database import connect
from tests.application.installation import OWNER
from tests.contracts.blob_store import chunked, keys_of
from tests.contracts.deletions import a_revision_of, an_ended_task
from tests.e2e.service import Service
from tests.fail_at_step import Steps, Trial, prepared, stepping_below

CONVERSATION = Path(__file__).parents[1] / "data" / "conversation.flac"
ROUNDS = int(os.environ.get("COLLOQUY_TEST_DELETIONS", "20"))  # noqa: TID251 - 200 for a release
PROMISED = 60.0


class Moments(Steps):
    """Tells when a step begins; the steps of the one who waits for it then mix with those of the work."""

    def __init__(self) -> None:
        super().__init__()
        self._moment, self._reached = 0, asyncio.Event()

    def at(self, step: int) -> asyncio.Event:
        self._moment, self._reached = step, asyncio.Event()
        return self._reached

    async def take(self, name: str, step: Callable[[], Awaitable[object]]) -> object:
        if self.taken + 1 == self._moment:
            self._reached.set()
        return await super().take(name, step)


async def wiped() -> bool:
    return True


async def erase_all(trial: Trial) -> None:
    """Do what the chore does once no worker of a deleted task can be alive."""
    async with trial.new_uow() as uow:
        for task_id in await uow.deletions.unfinished(limit=500):
            deletion = await uow.deletions.get(task_id)
            assert deletion is not None
            await uow.deletions.save(replace(deletion, settled_at=deletion.requested_at))
        await uow.commit()
    await FinishErasures(new_uow=trial.new_uow, erase=Erase(new_uow=trial.new_uow, blobs=trial.blobs), wipe=wiped)()


@pytest.mark.slow
@pytest.mark.timeout(60 + 3 * ROUNDS)
@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "sqlite"])
async def test_r15_deletion_races_with_the_work(
    on_disk: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hold, "LOOK_SECONDS", 0.02)
    dice = random.Random(15)
    engine = connect(prepared(tmp_path / "trial")) if on_disk else None
    (tmp_path / "trial").mkdir(exist_ok=True)
    steps = Moments()
    trial = Trial(tmp_path / "trial", engine, steps)
    with capture_logs() as lines, stepping_below(steps):
        undisturbed = await trial.hand_in()
        before = steps.taken
        await trial.process()(undisturbed.id)
        work_steps = steps.taken - before
        await trial.delete(undisturbed)
        for _ in range(ROUNDS):
            task = await trial.hand_in()
            moment = steps.at(steps.taken + dice.randint(1, work_steps))
            work = asyncio.create_task(trial.process()(task.id))
            await asyncio.wait({work, asyncio.create_task(moment.wait())}, return_when=asyncio.FIRST_COMPLETED)
            moment.set()
            await trial.delete(task)
            await asyncio.wait_for(work, 10)
    assert await trial.tasks() == []
    await erase_all(trial)
    assert await keys_of(trial.stored) == []
    assert list(trial.work.iterdir()) == []
    receipts = await QueryDeletions(new_uow=trial.new_uow).page(OWNER, before=None, limit=500)
    assert len(receipts) == ROUNDS + 1
    assert all(receipt.completed_at and receipt.removed for receipt in receipts)
    met = sum(line["event"] == "task_lost" for line in lines)
    assert met > ROUNDS // 4, f"only {met} of {ROUNDS} deletions met a running worker"
    if engine is not None:
        await engine.dispose()


def completed(receipt: dict[str, object]) -> bool:
    return receipt["completed_at"] is not None


class Overtaken(MemoryBlobStore):
    """Has `act` happen just before a transcript is stored, and its worker die just after that if it is `deadly`."""

    def __init__(self, *, deadly: bool) -> None:
        super().__init__()
        self.act: Callable[[], Awaitable[None]] | None = None
        self._deadly = deadly

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        deadly = False
        if key.startswith("transcripts/") and self.act is not None:
            await self.act()
            deadly = self._deadly
        info = await super().put(key, chunks)
        if deadly:
            raise asyncio.CancelledError
        return info


@pytest.mark.parametrize("deadly", [False, True])
async def test_r15_a_transcript_that_comes_after_the_deletion_goes_too(
    deadly: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
) -> None:
    trial = Trial(tmp_path, None, Steps())
    store = Overtaken(deadly=deadly)
    trial.blobs = trial.stored = store
    task = await trial.hand_in()
    store.act = lambda: trial.delete(task)
    with suppress(asyncio.CancelledError):
        await trial.process()(task.id)
    left = await keys_of(store)
    assert left == ([transcript_key(task.id, 1)] if deadly else []), "a worker that lives removes what it made"
    await erase_all(trial)
    assert await keys_of(store) == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_r15_within_a_minute_the_child_is_killed_and_the_receipt_complete(tmp_path: Path) -> None:
    data = tmp_path / "data"
    scripted = {"ASR_ENGINE": "scripted", "DIARIZATION_ENGINE": "scripted", "ENGINE_WINDOW_SECONDS": "3"}
    with Service(data, ASR_SCRIPT="hang_in_c@2", **scripted) as service, service.client() as client:
        task = service.submit(CONVERSATION)
        service.wait(task, until=("processing",))
        while service.status(task)["phase"] != "transcribing":
            time.sleep(0.1)
        started = time.monotonic()
        answer = client.delete(f"/api/v1/tasks/{task}")
        assert answer.status_code == 204
        for path in ("status", "tasks", "result"):
            assert client.get(f"/api/v1/{path}/{task}").status_code == 404
        assert client.delete(f"/api/v1/tasks/{task}").status_code == 404
        receipt = client.get(answer.headers["location"]).json()
        assert not completed(receipt), "the worker may still be at it"
        while not completed(receipt):
            assert time.monotonic() - started < PROMISED, receipt
            time.sleep(0.5)
            receipt = client.get(answer.headers["location"]).json()
        assert receipt["removed"] == {
            "recordings": 1, "transcripts": 0, "bytes": CONVERSATION.stat().st_size, "recording_shared": False,
        }  # fmt: skip
        assert receipt["reason"] == "caller"
        assert not [path for path in data.rglob("*") if task in path.as_posix()]
        assert client.get("/api/v1/deletions").json()["deletions"] == [receipt]


async def kept(trial: Trial, *tasks: Task) -> None:
    async with trial.new_uow() as uow:
        for task in tasks:
            await uow.tasks.add(replace(task, owner=OWNER))
        await uow.commit()
    for task in tasks:
        await trial.stored.put(task.media.key, chunked(b"audio"))
        if task.kind is TaskKind.TRANSCRIBE:
            await trial.stored.put(transcript_key(task.id, 1), chunked(b"text"))


async def found(trial: Trial, task: Task) -> Task:
    async with trial.new_uow() as uow:
        stored = await uow.tasks.get(task.id)
    assert stored is not None
    return stored


async def receipt(trial: Trial, task_id: TaskId) -> tuple[int, int, bool]:
    deletion = await QueryDeletions(new_uow=trial.new_uow).one(OWNER, task_id)
    assert deletion.removed is not None
    return deletion.removed.recordings, deletion.removed.transcripts, deletion.removed.shared


async def test_r15_a_retry_outlives_the_task_whose_recording_it_shares(tmp_path: Path) -> None:
    trial = Trial(tmp_path, None, Steps())
    parent = an_ended_task()
    child = an_ended_task(parent=parent.id, media=parent.media)
    await kept(trial, parent, child)
    await trial.delete(parent)
    assert await keys_of(trial.stored) == [parent.media.key, transcript_key(child.id, 1)]
    assert await receipt(trial, parent.id) == (0, 1, True)
    assert await found(trial, child) == replace(child, owner=OWNER)
    await trial.delete(child)
    await erase_all(trial)
    assert await keys_of(trial.stored) == []
    assert await receipt(trial, child.id) == (1, 1, False)


@pytest.mark.parametrize("status", [TaskStatus.QUEUED, TaskStatus.PROCESSING, TaskStatus.DONE])
async def test_r15_what_revises_a_deleted_task_ends_and_keeps_nothing_of_it(status: TaskStatus, tmp_path: Path) -> None:
    trial = Trial(tmp_path, None, Steps())
    parent = an_ended_task()
    child = a_revision_of(parent, status, options=replace(parent.options, initial_prompt="secret", hotwords=("word",)))
    await kept(trial, parent, child)
    await trial.delete(parent)
    assert await keys_of(trial.stored) == [], "no recording is kept for it"
    left = await found(trial, child)
    assert left.status is {TaskStatus.QUEUED: TaskStatus.CANCELLED}.get(status, status)
    assert left.cancel_requested == (status is TaskStatus.PROCESSING)
    assert (left.media.filename, left.options.initial_prompt, left.options.hotwords) == ("", "", ())


async def test_r15_of_many_deletions_at_once_each_finds_it_gone_or_does_it(tmp_path: Path) -> None:
    engine = connect(prepared(tmp_path / "trial"))
    trial = Trial(tmp_path / "trial", engine, Steps())
    task = an_ended_task()
    await kept(trial, task)
    ended = await asyncio.gather(*[trial.delete(task) for _ in range(8)], return_exceptions=True)
    assert ended.count(None) >= 1
    assert all(isinstance(error, TaskNotFound) for error in ended if error is not None)
    assert await keys_of(trial.stored) == []
    deletion = await QueryDeletions(new_uow=trial.new_uow).one(OWNER, task.id)
    assert deletion.reason is DeletionReason.CALLER
    await engine.dispose()
