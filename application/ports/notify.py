"""The port to progress events."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from domain.task import Phase, TaskError, TaskId, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """A task's state at one moment; `progress` and `phase_fraction` are 0 to 1, `duration` and `eta_ms` ms.

    `version` is the row's: of two events the one with the greater is the later, whoever told it. Processes of the
    release before tell none.
    """

    task_id: TaskId
    status: TaskStatus
    phase: Phase
    phase_fraction: float
    progress: float
    eta_ms: int | None
    duration: int | None = None
    stalled: bool = False
    error: TaskError | None = None
    version: int | None = None


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

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections; for the end of the process. Whoever still follows hears nothing more."""
