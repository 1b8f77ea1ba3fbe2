"""A worker says of a task that stands still that it does, and takes it back when it goes on."""

import asyncio
from pathlib import Path

import pytest

from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from application import progress
from application.hold import event_of
from domain.options import TranscriptionOptions
from domain.task import TaskStatus
from tests.application.installation import Installation


@pytest.mark.slow
async def test_a_task_that_stands_still_is_seen_to_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "STRANGE_SECONDS", 0.5)
    monkeypatch.setattr("application.hold.LOOK_SECONDS", 0.1)
    engine = ScriptedEngine(Script.parse("load:2"))  # it takes long, and gives no sign
    installation = Installation(tmp_path, engine=engine)
    task = await installation.submit(options=TranscriptionOptions(diarization=False))
    work = asyncio.create_task(installation.process()(task.id))
    seen: list[tuple[bool, bool, bool]] = []
    while not work.done():
        await asyncio.sleep(0.05)
        async with installation.new_uow() as uow:
            row = await uow.tasks.get(task.id)
        assert row is not None
        state = (row.stalled, event_of(row).stalled, row.eta_ms is not None)
        if not seen or seen[-1] != state:
            seen.append(state)
    await work
    assert all(row == event for row, event, _ in seen)
    assert not any(stalled and promised for stalled, _, promised in seen), "nobody knows how long that will be"
    stands = [stalled for stalled, *_ in seen]
    assert True in stands
    assert stands[-1] is False
    async with installation.new_uow() as uow:
        ended = await uow.tasks.get(task.id)
    assert ended is not None
    assert (ended.status, ended.stalled) == (TaskStatus.DONE, False)
