"""Progress events inside one process; nothing is kept for followers who come later."""

import asyncio
from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

from application.ports.notify import EventPublisher, TaskEvent
from domain.task import TaskId


class _Topic:
    """A task's latest event, kept alive by its followers alone."""

    def __init__(self) -> None:
        self.latest: TaskEvent | None = None
        self.count = 0
        self.changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self.latest is not None and self.latest.status.final


class InProcessEvents(EventPublisher):
    """Followers of a task share its latest event. For one event loop."""

    def __init__(self) -> None:
        self._topics: WeakValueDictionary[TaskId, _Topic] = WeakValueDictionary()

    async def publish(self, event: TaskEvent) -> None:
        """Tell whoever follows; what comes after a final event, late and out of order, is dropped."""
        topic = self._topics.get(event.task_id)
        if topic is None or topic.ended:
            return
        topic.latest = event
        topic.count += 1
        topic.changed.set()
        topic.changed = asyncio.Event()

    def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        """Give the events from this call on, whenever the reading starts; of an ended task the last one."""
        topic = self._topics.setdefault(task_id, _Topic())
        return _read(topic, topic.count - topic.ended)

    async def close(self) -> None:
        """There is nothing to let go of."""


async def _read(topic: _Topic, seen: int) -> AsyncIterator[TaskEvent]:
    while True:
        if topic.count == seen:
            await topic.changed.wait()
        seen, event = topic.count, topic.latest
        if event is not None:
            yield event
            if event.status.final:
                return
