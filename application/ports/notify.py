"""The port to progress events."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from domain.task import Phase, TaskId, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """A task's state at one moment; `progress` and `phase_fraction` are 0 to 1, `duration` and `eta_ms` ms."""

    task_id: TaskId
    status: TaskStatus
    phase: Phase
    phase_fraction: float
    progress: float
    eta_ms: int | None
    duration: int | None = None


class EventPublisher(Protocol):
    """Tells whoever follows a task how it goes. Events may be lost; the task row is the truth."""

    @abstractmethod
    async def publish(self, event: TaskEvent) -> None:
        """Hand the event to the followers; never waits for them and never fails."""

    @abstractmethod
    def follow(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        """Give the task's events from now on, ending after one with a final status.

        A slow reader skips to the latest event.
        """
