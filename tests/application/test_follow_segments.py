"""Segments are told once each, in order, as early as their windows are done; and how it ended comes last."""

import asyncio
from pathlib import Path

import pytest

from adapters.events.in_process import InProcessEvents
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from application.follow_segments import FollowSegments
from application.follow_task import FollowTask
from application.get_result import GetResult
from application.ports.notify import TaskEvent
from domain.options import TranscriptionOptions
from domain.task import TaskStatus
from domain.transcript import Segment
from tests.application.installation import OWNER, Installation

WITHOUT_SPEAKERS = TranscriptionOptions(diarization=False)


def listener(installation: Installation) -> FollowSegments:
    # Its events come from nowhere, so that it reads the row: the slowest way, which must do.
    follow = FollowTask(new_uow=installation.new_uow, events=InProcessEvents())
    result = GetResult(new_uow=installation.new_uow, blobs=installation.blobs)
    return FollowSegments(follow=follow, result=result, new_uow=installation.new_uow)


async def told(installation: Installation, script: str) -> tuple[list[Segment], list[TaskEvent], int]:
    """What was told of a task, and how many segments of it before it ended."""
    installation.engine = ScriptedEngine(Script.parse(script))
    task = await installation.submit(options=WITHOUT_SPEAKERS)
    work = asyncio.create_task(installation.process()(task.id))
    segments, events, early = list[Segment](), list[TaskEvent](), 0
    async for item in listener(installation)(OWNER, task.id):
        if isinstance(item, Segment):
            segments.append(item)
            early += not work.done()
        else:
            events.append(item)
    await work
    return segments, events, early


@pytest.mark.slow
async def test_each_segment_once_and_early(tmp_path: Path) -> None:
    segments, events, early = await told(Installation(tmp_path), "sleep:1.5")
    assert [event.status for event in events] == [TaskStatus.DONE]
    quick = Installation(tmp_path)
    whole = await quick.transcript(await quick.run(options=WITHOUT_SPEAKERS))
    assert " ".join(segment.text for segment in segments) == whole.full_text.replace("\n", " ")
    assert 0 < early < len(segments)


async def test_of_a_task_that_has_ended_all_is_told(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    task = await installation.run(options=WITHOUT_SPEAKERS)
    items = [item async for item in listener(installation)(OWNER, task.id)]
    segments = [item for item in items if isinstance(item, Segment)]
    assert segments == list((await installation.transcript(task)).segments)
    assert isinstance(items[-1], TaskEvent)


async def test_a_failure_is_told(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    task = await installation.submit(options=WITHOUT_SPEAKERS)
    async with installation.new_uow() as uow:
        stored = await uow.tasks.get(task.id)
        assert stored is not None
        stored.request_cancel(now=await uow.tasks.now())
        await uow.tasks.save(stored)
        await uow.commit()
    (event,) = [item async for item in listener(installation)(OWNER, task.id)]
    assert isinstance(event, TaskEvent)
    assert event.status is TaskStatus.CANCELLED
