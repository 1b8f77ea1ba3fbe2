"""Who breaks off anywhere and comes back with the last id, to any process, is told all the rest and nothing twice."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest

from adapters.events.in_process import InProcessEvents
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.storage.memory import MemoryBlobStore
from adapters.system import SystemClock
from application import follow_task
from application.follow_segments import FollowSegments
from application.follow_task import FollowTask
from application.get_result import GetResult
from application.hold import event_of
from application.place import BEGINNING, Place
from application.ports.notify import TaskEvent
from application.rendering.transcript_codec import encode_transcript
from domain.media import MediaFacts
from domain.span import Span
from domain.task import Phase, Task, TaskId, TaskStatus, transcript_key
from domain.transcript import Recognition, Segment, Transcript, Word, join_words
from tests.builders import OWNER, a_task

ROUNDS = int(os.environ.get("COLLOQUY_TEST_CUTS", "50"))  # noqa: TID251 - a longer run for a release
WORDS, WINDOW = 36, 9
"""Words of half a second, in windows of so many; the last window is finished with the task itself."""


def said(first: int, last: int, channel: int | None) -> Segment:
    """The words from `first` to before `last`."""
    words = tuple(
        Word(span=Span(number * 500, number * 500 + 400), text=f"w{number}c{channel or 0}")
        for number in range(first, last)
    )
    return Segment(
        span=Span(words[0].span.start, words[-1].span.end), text=join_words(words), words=words, channel=channel
    )


class Life:
    """A task from its submission to its end, changed by a worker that nobody sees."""

    def __init__(self, *, tracks: int, tells: bool, rng: random.Random) -> None:
        self.database, self.blobs = MemoryDatabase(SystemClock()), MemoryBlobStore()
        self.events, self.tells, self.rng = InProcessEvents(), tells, rng
        self.channels: list[int | None] = [None] if tracks == 1 else list(range(tracks))
        self.task = a_task(run_after=SystemClock().now(), created_at=SystemClock().now())

    def listener(self) -> FollowSegments:
        """What another process, or this one after a restart, would follow with."""
        follow = FollowTask(new_uow=self.new_uow, events=self.events if self.tells else InProcessEvents())
        return FollowSegments(
            follow=follow, result=GetResult(new_uow=self.new_uow, blobs=self.blobs), new_uow=self.new_uow
        )

    def new_uow(self) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(self.database)

    async def live(self) -> None:
        await self.change(lambda task: task.claim(worker="w", now=SystemClock().now() + timedelta(seconds=1)))
        windows = [
            (track, channel, start) for track, channel in enumerate(self.channels) for start in range(0, WORDS, WINDOW)
        ]
        broken = self.rng.randrange(len(windows))
        for number, (track, channel, start) in enumerate(windows[:-1]):
            if number == broken:  # the attempt ends, and another goes on after its last window
                now = SystemClock().now()
                await self.change(lambda task, now=now: task.release(token=task.token, now=now))
                await self.change(lambda task, now=now: task.claim(worker="x", now=now + timedelta(seconds=1)))
            await self.window(track, channel, start)
            done = (number + 1) / len(windows)
            await self.change(
                lambda task, done=done: task.advance(
                    token=task.token, phase=Phase.TRANSCRIBING, fraction=done, progress=done, eta_ms=None,
                    now=SystemClock().now(),
                )
            )  # fmt: skip
        await self.finish()

    async def change(self, change: object) -> None:
        await asyncio.sleep(self.rng.choice([0.0, 0.001, 0.004]))
        async with self.new_uow() as uow:
            task = await uow.tasks.get(self.task.id)
            assert task is not None
            change(task)  # type: ignore[operator] # a function of it
            await uow.tasks.save(task)
            if task.status is TaskStatus.DONE:
                await uow.checkpoints.clear(task.id)
            await uow.commit()
        self.task = task
        if self.tells and self.rng.random() < 0.8:  # the others are lost
            await self.events.publish(event_of(task))

    async def window(self, track: int, channel: int | None, start: int) -> None:
        cut = start + self.rng.randrange(1, WINDOW)
        segments = tuple(replace(said(*part, channel), channel=None) for part in ((start, cut), (cut, start + WINDOW)))
        payload = msgspec.json.encode(Recognition(segments=segments, language="en"))
        async with self.new_uow() as uow:
            span = f"{start * 500}-{(start + WINDOW) * 500}"
            await uow.checkpoints.put(
                self.task.id, f"window/{track}/{span}", token=self.task.token, payload=payload
            )  # fmt: skip
            await uow.commit()

    async def finish(self) -> None:
        cuts = sorted({0, WORDS, *(self.rng.randrange(1, WORDS) for _ in range(6))})
        segments = tuple(
            sorted(
                (said(first, last, channel) for channel in self.channels for first, last in pairwise(cuts)),
                key=lambda segment: segment.span,
            )
        )
        facts = MediaFacts(container="wav", codec="pcm", sample_rate=16_000, channels=1, declared=1, decoded=1)
        transcript = Transcript(
            task_id=str(self.task.id), revision=1, language="en", model="m", media=facts, segments=segments
        )

        async def chunks() -> AsyncIterator[bytes]:
            yield encode_transcript(transcript)

        await self.blobs.put(transcript_key(self.task.id, 1), chunks())

        def complete(task: Task) -> None:
            task.complete(token=task.token, now=SystemClock().now(), language="en", duration=1, processing_ms=1)

        await self.change(complete)


async def listen(life: Life, *, cuts: float) -> tuple[list[Segment], list[TaskEvent], int]:
    """All that is told to somebody who breaks off after any item with that probability, and how often that was."""
    segments, states, place, broken = list[Segment](), list[TaskEvent](), BEGINNING, 0
    listener = life.listener()
    while not place.final:
        reading = listener.told(OWNER, TaskId(life.task.id), place)
        async for item, at in reading:
            (segments if isinstance(item, Segment) else states).append(item)  # type: ignore[arg-type] # by its kind
            place = Place.parse(str(at))
            assert place == at
            if life.rng.random() < cuts:
                broken += 1
                listener = life.listener() if life.rng.random() < 0.5 else listener
                break
        await reading.aclose()  # type: ignore[attr-defined] # of generators
        if life.rng.random() < 0.1:  # somebody who is away for long
            await asyncio.sleep(0.02)
    return segments, states, broken


@pytest.mark.timeout(60 + ROUNDS)
@pytest.mark.parametrize("tracks", [1, 2])
async def test_all_is_told_once_wherever_it_is_broken_off(tracks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_task, "_DOUBT_SECONDS", 0.005)
    broken = 0
    for number in range(ROUNDS // 2):
        rng = random.Random(number)
        life = Life(tracks=tracks, tells=number % 2 == 0, rng=rng)
        async with life.new_uow() as uow:
            await uow.tasks.add(life.task)
            await uow.commit()
        living = asyncio.create_task(life.live())
        segments, states, cut = await asyncio.wait_for(listen(life, cuts=rng.choice([0.2, 0.5, 1.0])), 20)
        await living
        broken += cut
        words = [word.text for segment in segments for word in segment.words]
        assert len(words) == len(set(words)) == WORDS * tracks, f"round {number}"
        for channel in range(tracks):
            own = [word for word in words if word.endswith(f"c{channel}")]
            assert own == [f"w{each}c{channel}" for each in range(WORDS)], f"round {number}"
        versions = [state.version or 0 for state in states]
        assert versions == sorted(set(versions)), f"round {number}"
        assert [state.status.final for state in states] == [False] * (len(states) - 1) + [True]
        assert all(before.progress <= after.progress for before, after in pairwise(states)), f"round {number}"
    assert broken > ROUNDS // 2
    print(f"{ROUNDS // 2} rounds, {broken} breaks")  # noqa: T201


async def test_without_segments_only_the_states_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_task, "_DOUBT_SECONDS", 0.005)
    life = Life(tracks=1, tells=False, rng=random.Random(1))
    async with life.new_uow() as uow:
        await uow.tasks.add(life.task)
        await uow.commit()
    living = asyncio.create_task(life.live())
    told = [item async for item, _ in life.listener().told(OWNER, TaskId(life.task.id), segments=False)]
    await living
    assert all(isinstance(item, TaskEvent) for item in told)


async def test_a_transcript_that_was_not_kept_is_no_failure() -> None:
    life = Life(tracks=1, tells=False, rng=random.Random(1))
    async with life.new_uow() as uow:
        await uow.tasks.add(life.task)
        await uow.commit()
    await life.live()
    await life.blobs.delete(transcript_key(life.task.id, 1))
    (told,) = [item async for item, _ in life.listener().told(OWNER, TaskId(life.task.id))]
    assert isinstance(told, TaskEvent)
    assert told.status is TaskStatus.DONE
