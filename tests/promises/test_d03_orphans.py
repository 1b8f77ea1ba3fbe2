"""D-03: a crash at any step of handing in, working, deleting or tidying up leaves no orphan, in neither direction."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from adapters.storage.memory import MemoryBlobStore
from adapters.system import Uuid7Factory
from application import hold
from application.admit_task import AdmitTask
from application.delete_clip import DeleteClip
from application.delete_task import QueryDeletions
from application.erase import Erase, FinishErasures
from application.reconcile import GRACE, Reconcile, Reconciliation
from application.retain import EnforceRetention
from application.stage_upload import StageUpload
from application.store_clip import StoreClip
from domain.clip import Clip
from domain.task import MediaSource, Retention, Task, TaskId, TaskKind, TaskStatus, media_key, transcript_key
from infrastructure.database import connect, wipe_deleted
from tests.application.installation import OWNER
from tests.builders import a_task
from tests.contracts.blob_store import chunked, keys_of
from tests.contracts.deletions import a_revision_of, an_ended_task
from tests.contracts.unit_of_work import stored
from tests.fail_at_step import Broken, Steps, Trial, prepared, stepping_below

EVERY = int(os.environ.get("COLLOQUY_TEST_EVERY_STEP", "30"))  # noqa: TID251 - 1 for a release
"""Each so many-th step is broken, of those over memory six times as many."""
AT_ONCE = timedelta()


async def again(trial: Trial, task: Task) -> Task:
    """A task that shares the recording of another, as a retry does."""
    child = replace(a_task(), owner=OWNER, media=task.media, parent=task.id)
    async with trial.new_uow() as uow:
        now = await uow.tasks.now()
        child = replace(child, created_at=now, updated_at=now, run_after=now)
        await uow.tasks.add(child)
        await uow.commit()
    return child


async def handed_in(trial: Trial, retention: Retention | None = None) -> Task:
    task = await trial.hand_in()
    if retention is not None:
        async with trial.new_uow() as uow:
            found = await uow.tasks.get(task.id)
            assert found is not None
            found.retention = retention
            await uow.tasks.save(found)
            await uow.commit()
    return task


async def done(trial: Trial, retention: Retention | None = None) -> Task:
    task = await handed_in(trial, retention)
    await trial.process()(task.id)
    return task


def chores(trial: Trial) -> list[Callable[[], Awaitable[object]]]:
    async def wipe() -> bool:
        return trial.sql is None or await wipe_deleted(trial.sql)

    erase = Erase(new_uow=trial.new_uow, blobs=trial.blobs)
    return [
        EnforceRetention(new_uow=trial.new_uow, blobs=trial.blobs),
        FinishErasures(new_uow=trial.new_uow, erase=erase, wipe=wipe),
    ]


async def complete(trial: Trial) -> None:
    await done(trial)


async def delete_done(trial: Trial) -> None:
    await trial.delete(await done(trial))
    await chores(trial)[1]()


async def delete_running(trial: Trial) -> None:
    task = await trial.hand_in()
    trial.asr.act, trial.asr.loop = lambda: trial.delete(task), asyncio.get_running_loop()
    await trial.process()(task.id)
    await chores(trial)[1]()


async def delete_shared(trial: Trial) -> None:
    task = await done(trial)
    child = await again(trial, task)
    await trial.delete(task)
    await trial.process()(child.id)
    await trial.delete(child)
    await chores(trial)[1]()


async def purge(trial: Trial) -> None:
    await done(trial, Retention(media=AT_ONCE))
    await chores(trial)[0]()


async def expire(trial: Trial) -> None:
    await done(trial, Retention(transcript=AT_ONCE))
    for chore in chores(trial):
        await chore()


async def kept_clip(trial: Trial) -> Clip:
    file = trial.work.parent / "clip"
    file.write_bytes(b"a clip" * 1_000)
    stage = StageUpload(new_uow=trial.new_uow, blobs=trial.blobs)
    admit = AdmitTask(new_uow=trial.new_uow, most=9, most_of_owner=9)
    store = StoreClip(new_uow=trial.new_uow, blobs=trial.blobs, stage=stage, admit=admit, ids=Uuid7Factory(), kept=None)
    return await store(OWNER, file, filename="clip.wav")


async def delete_clip(trial: Trial) -> None:
    """A clip, a task of it, and another clip: one is deleted before its task, the other stays."""
    clip, _ = await kept_clip(trial), await kept_clip(trial)
    async with trial.new_uow() as uow:
        assert await uow.clips.use(clip.id)
        now = await uow.tasks.now()
        task = replace(a_task(), owner=OWNER, media=clip.source, created_at=now, updated_at=now, run_after=now)
        await uow.tasks.add(task)
        await uow.commit()
    await DeleteClip(new_uow=trial.new_uow, blobs=trial.blobs)(OWNER, clip.id)
    await trial.process()(task.id)
    await trial.delete(task)
    await chores(trial)[1]()


SCENARIOS: dict[str, Callable[[Trial], Awaitable[None]]] = {
    run.__name__: run for run in (complete, delete_done, delete_running, delete_shared, delete_clip, purge, expire)
}


async def settled(trial: Trial) -> None:
    """No worker of a deleted task is alive any more."""
    for deletion in await QueryDeletions(new_uow=trial.new_uow).page(OWNER, before=None, limit=100):
        async with trial.new_uow() as uow:
            deletion.settled_at = deletion.requested_at
            await uow.deletions.save(deletion)
            await uow.commit()


async def run(folder: Path, scenario: str, steps: Steps, *, on_disk: bool) -> list[str]:
    """Run a scenario with one broken step, restart, let the chores do their work, and return what is wrong then."""
    engine = connect(prepared(folder)) if on_disk else None
    folder.mkdir(exist_ok=True)
    hold.LOOK_SECONDS = 0.05
    try:
        trial = Trial(folder, engine, steps)
        with stepping_below(steps), suppress(Broken, OSError, AssertionError):
            await SCENARIOS[scenario](trial)
        return await wrong_after(trial.well_again())
    finally:
        if engine is not None:
            await engine.dispose()


async def wrong_after(trial: Trial) -> list[str]:
    await trial.sweep(alone=True)
    for _ in range(3):
        await trial.time_passes()
        for task in await trial.tasks():
            await trial.process()(task.id)
        await settled(trial)
        for chore in chores(trial):
            await chore()
    reconcile = Reconcile(new_uow=trial.new_uow, blobs=trial.blobs, grace=AT_ONCE)
    first = await reconcile(remove=True)
    wrong = [f"{first.missing} rows lack their blob"] if first.missing else []
    if (report := await reconcile(remove=False)) != Reconciliation():
        wrong.append(f"{report}")
    expected: set[str] = set()
    for task in await trial.tasks():
        wrong += [] if task.status is TaskStatus.DONE else [f"a task is {task.status}: {task.error}"]
        expected |= {transcript_key(task.id, task.revision)} | ({task.media.key} if not task.media_purged_at else set())
    async with trial.new_uow() as uow:
        expected |= {clip.key for clip in await uow.clips.every(after=None, limit=9)}
    if (kept := set(await keys_of(trial.stored))) != expected:
        wrong.append(f"kept: {sorted(kept)}, and not {sorted(expected)}")
    deletions = await QueryDeletions(new_uow=trial.new_uow).page(OWNER, before=None, limit=100)
    wrong += [f"unfinished: {deletion}" for deletion in deletions if deletion.completed_at is None]
    gone = trial.told.of("deleting") & {task.id for task in await trial.tasks()}
    wrong += [f"deleted and there: {task_id}" for task_id in trial.told.of("deleted") & gone]
    return wrong


async def steps_of(folder: Path, scenario: str, *, on_disk: bool) -> int:
    steps = Steps()
    assert await run(folder, scenario, steps, on_disk=on_disk) == []
    return steps.taken


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "sqlite"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_d03_a_break_at_any_step_leaves_no_orphan(
    scenario: str,
    on_disk: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hold, "LOOK_SECONDS", hold.LOOK_SECONDS)  # it is put back
    with capture_logs():
        count = await steps_of(tmp_path / "whole", scenario, on_disk=on_disk)
        assert count > 10
        failures = {}
        stride = EVERY if on_disk else 1 + EVERY // 6
        for number in range(1, count + 1, stride):
            for before in (True, False):
                steps = Steps(number, before=before)
                if wrong := await run(tmp_path / f"{number}-{before}", scenario, steps, on_disk=on_disk):
                    failures[number, steps.broke, before] = wrong
    assert failures == {}


class Stored:
    """Rows and blobs put there by hand."""

    def __init__(self, tmp_path: Path) -> None:
        self.trial = Trial(tmp_path, None, Steps())
        self.blobs = MemoryBlobStore()

    async def put(self, *keys: str) -> None:
        for key in keys:
            await self.blobs.put(key, chunked(b"kept"))

    def reconcile(self) -> Reconcile:
        return Reconcile(new_uow=self.trial.new_uow, blobs=self.blobs)


@pytest.fixture
def place(tmp_path: Path) -> Stored:
    return Stored(tmp_path)


async def test_d03_what_is_young_or_in_work_or_not_ours_is_no_orphan(place: Stored) -> None:
    ours, running, revised = an_ended_task(), replace(a_task(), status=TaskStatus.PROCESSING), an_ended_task()
    child = a_revision_of(revised)
    await stored(place.trial.new_uow, ours, running, revised, child)
    fresh = TaskId(Uuid7Factory().new())
    kept = [
        *(ours.media.key, running.media.key, revised.media.key, media_key(fresh)),
        *(transcript_key(ours.id, 1), transcript_key(running.id, 1)),
        *(transcript_key(revised.id, 1), transcript_key(revised.id, 2)),
        *("media/readme.txt", "transcripts/readme.txt", "incoming/x", "elsewhere/y"),
    ]
    await place.put(*kept)
    assert await place.reconcile()(remove=True) == Reconciliation()
    assert await keys_of(place.blobs) == sorted(kept)
    place.trial.clock.ahead += GRACE + timedelta(minutes=1)
    assert await place.reconcile()(remove=True) == Reconciliation(strays=1)
    assert media_key(fresh) not in await keys_of(place.blobs)


async def test_d03_what_nothing_accounts_for_goes_and_what_lacks_is_told(place: Stored) -> None:
    ours, bare, purged = an_ended_task(), an_ended_task(), an_ended_task(media_purged_at=a_task().created_at)
    sharing = an_ended_task(media=MediaSource(key=media_key(an_ended_task().id), filename="", size=1, sha256=""))
    await stored(place.trial.new_uow, ours, bare, purged, sharing)
    old = [media_key(purged.id), transcript_key(ours.id, 2), transcript_key(TaskId(UUID(int=5)), 1)]
    await place.put(*old, ours.media.key, transcript_key(ours.id, 1), transcript_key(purged.id, 1))
    place.trial.clock.ahead += timedelta(days=2)
    missing = 4  # both of `bare`, the recording and the transcript of `sharing`
    assert await place.reconcile()(remove=False) == Reconciliation(strays=3, missing=missing)
    assert set(old) < set(await keys_of(place.blobs))
    assert await place.reconcile()(remove=True) == Reconciliation(strays=3, missing=missing)
    assert await place.reconcile()(remove=True) == Reconciliation(missing=missing)


async def test_d03_thousands_of_both_are_compared_in_batches(place: Stored) -> None:
    tasks = [an_ended_task() for _ in range(1_200)]
    await stored(place.trial.new_uow, *tasks, *[an_ended_task(kind=TaskKind.REVISE) for _ in range(30)])
    await place.put(*[task.media.key for task in tasks], *[transcript_key(task.id, 1) for task in tasks[1:]])
    strays = [a_task().id for _ in range(700)]
    await place.put(*[media_key(task_id) for task_id in strays])
    place.trial.clock.ahead += timedelta(days=2)
    with capture_logs():
        assert await place.reconcile()(remove=True) == Reconciliation(strays=700, missing=1)
    assert len(await keys_of(place.blobs)) == 2 * 1_200 - 1


async def test_d03_a_task_whose_recording_vanished_ends_and_says_so(tmp_path: Path) -> None:
    trial = Trial(tmp_path, None, Steps())
    task = await trial.hand_in()
    await trial.stored.delete(task.media.key)
    await trial.process()(task.id)
    ended = (await trial.tasks())[0]
    assert ended.status is TaskStatus.ERROR
    assert ended.error is not None
    assert ended.error.code == "media_purged"
