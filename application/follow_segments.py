"""Hearing what was said while it is being recognised: segments as their windows are finished, before speakers are."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from weakref import WeakValueDictionary

from application.audit import note
from application.follow_task import FollowTask
from application.get_result import GetResult
from application.place import BEGINNING, Place
from application.ports.notify import TaskEvent
from application.ports.persistence import NewUnitOfWork
from application.windows_heard import WindowsHeard
from domain.audit import Action, Thing
from domain.errors import TaskNotFound
from domain.span import Span
from domain.task import OwnerId, TaskId, TaskStatus
from domain.transcript import Segment, Transcript, join_words

Told = tuple[Segment | TaskEvent, Place]
"""A segment or a state, and what has been told with it."""


class FollowSegments:
    """Gives a task's segments, each once and as early as may be, and the states between which they came.

    The segments of a window come in the order of time, and so do the windows of each track. They have no speakers; of a
    task that ends well every segment has been given when its last event comes. For one event loop.
    """

    def __init__(self, *, follow: FollowTask, result: GetResult, new_uow: NewUnitOfWork) -> None:
        self._follow = follow
        self._result = result
        self._new_uow = new_uow
        self._heard: WeakValueDictionary[TaskId, WindowsHeard] = WeakValueDictionary()

    async def __call__(self, owner: OwnerId, task_id: TaskId) -> AsyncIterator[Segment | TaskEvent]:
        """Yield the segments, then the final event.

        Raises:
            TaskNotFound: there is no such task, or it was deleted meanwhile.
        """
        async for item, place in self.told(owner, task_id):
            if place.final or isinstance(item, Segment):
                yield item

    async def told(
        self, owner: OwnerId, task_id: TaskId, after: Place = BEGINNING, *, segments: bool = True
    ) -> AsyncIterator[Told]:
        """Yield what comes after a place: each state, and with `segments` what was recognised by then before it.

        Raises:
            TaskNotFound: there is no such task, or it was deleted meanwhile.
        """
        if after.final:
            return
        place = after
        heard, noted = self._heard.setdefault(task_id, WindowsHeard()), False
        async for event in self._follow(owner, task_id):
            version = event.version or 0
            new: Iterator[tuple[Segment, Place]] = iter(())
            if segments and event.status is TaskStatus.PROCESSING:
                await heard.read(self._new_uow, task_id, version)
                new = heard.after(place)
            elif segments and event.status is TaskStatus.DONE:
                # What was recognised after the last look; its checkpoints are gone.
                new = _rest(await self._transcript(owner, task_id), place)
            for segment, at in new:
                if not noted:
                    note(Action.READ, Thing.TRANSCRIPT, task_id)
                    noted = True
                place = at
                yield segment, place
            if event.status.final or version > place.version:
                place = replace(place, version=version, final=event.status.final)
                yield event, place

    async def _transcript(self, owner: OwnerId, task_id: TaskId) -> Transcript | None:
        try:
            return await self._result(owner, task_id)
        except TaskNotFound:  # it was not to be kept
            return None


def _rest(transcript: Transcript | None, place: Place) -> Iterator[tuple[Segment, Place]]:
    left = [rest for segment in (transcript.segments if transcript else ()) if (rest := _from(segment, place))]
    for number, segment in enumerate(left[place.rest :], place.rest + 1):
        yield segment, replace(place, rest=number)


def _from(segment: Segment, place: Place) -> Segment | None:
    """The part of a segment that was not told: a transcript's are cut otherwise than a window's."""
    track = place.track if segment.channel is None else segment.channel
    if track > place.track or (track == place.track and segment.span.start >= place.until):
        return segment
    words = tuple(word for word in segment.words if track == place.track and word.span.start >= place.until)
    if not words:
        return None
    return replace(segment, span=Span(words[0].span.start, segment.span.end), text=join_words(words), words=words)
