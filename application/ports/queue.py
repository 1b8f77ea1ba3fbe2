"""The port to the doorbell: it wakes a worker and may lose or repeat anything, for the row is the job."""

from abc import abstractmethod
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Job(StrEnum):
    """What a worker can be woken for."""

    PROCESS_TASK = "process_task"
    DELIVER_WEBHOOK = "deliver_webhook"


class TaskQueue(Protocol):
    """Rings for a job."""

    @abstractmethod
    async def enqueue(self, job: Job, subject: UUID) -> None:
        """Ask that `job` be done for `subject` soon; call it after the commit. Losing or repeating it harms nothing."""

    @abstractmethod
    async def answers(self) -> bool:
        """Whether a ring would go out now; whoever asks waits for seconds at most, and is told of no error."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of whatever rings; what has not rung by then may never."""
