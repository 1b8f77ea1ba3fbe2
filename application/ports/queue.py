"""The port to the doorbell: it wakes a worker and may lose or repeat anything, for the task row is the job."""

from abc import abstractmethod
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Job(StrEnum):
    """What a worker can be woken for."""

    PROCESS_TASK = "process_task"


class TaskQueue(Protocol):
    """Rings for a job."""

    @abstractmethod
    async def enqueue(self, job: Job, subject: UUID) -> None:
        """Ask that `job` be done for `subject` soon; call it after the commit. Losing or repeating it harms nothing."""
