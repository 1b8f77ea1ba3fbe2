"""What has been recognised of a task so far, read once for all who listen to it in this process."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec

from application.place import Place
from application.ports.persistence import NewUnitOfWork
from domain.task import TaskId
from domain.transcript import Recognition, Segment

_WINDOW = "window/"


class WindowsHeard:
    """The segments of each finished window, by its track and start."""

    def __init__(self) -> None:
        self._windows: dict[tuple[int, int], tuple[Segment, ...]] = {}
        self._version = -1
        self._turn = asyncio.Lock()

    async def read(self, new_uow: NewUnitOfWork, task_id: TaskId, version: int) -> None:
        """Take in what was finished by that version of the task, unless that has been done."""
        async with self._turn:
            if version > self._version:
                async with new_uow() as uow:
                    stored = await uow.checkpoints.all(task_id)
                self._windows |= await asyncio.to_thread(self._new, stored)
                self._version = version

    def after(self, place: Place) -> Iterator[tuple[Segment, Place]]:
        """Give what comes after a place, each segment with the place after it."""
        for window in sorted(key for key in self._windows if key >= (place.track, place.start)):
            track, start = window
            told = place.count if window == (place.track, place.start) else 0
            until = place.until if track == place.track else 0
            for number, segment in enumerate(self._windows[window][told:], told + 1):
                until = max(until, segment.span.end)
                place = replace(place, track=track, start=start, count=number, until=until)
                yield segment, place

    def _new(self, stored: Mapping[str, bytes]) -> dict[tuple[int, int], tuple[Segment, ...]]:
        return {
            _key(name): msgspec.json.decode(payload, type=Recognition).segments
            for name, payload in stored.items()
            if name.startswith(_WINDOW) and _key(name) not in self._windows
        }


def _key(name: str) -> tuple[int, int]:
    """Track and start of a window, from the name of its checkpoint."""
    _, track, span = name.split("/")
    return int(track), int(span.partition("-")[0])
