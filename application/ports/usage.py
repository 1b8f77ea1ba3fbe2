"""The port to what owners have used and may use."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from domain.clip import ClipId
from domain.quota import Quota, Used
from domain.task import OwnerId, TaskId


class UsageRepository(Protocol):
    """Stores what each task and clip has cost, and quotas that are not everybody's, as part of a unit of work.

    What it has cost stays when it is deleted.
    """

    @abstractmethod
    async def charge(self, task_id: TaskId, owner: OwnerId, *, at: datetime, size: int) -> None:
        """Store that the task was handed in, with `size` new bytes."""

    @abstractmethod
    async def charge_clip(self, clip_id: ClipId, owner: OwnerId, *, at: datetime, size: int) -> None:
        """Store that the clip was handed in, with `size` bytes."""

    @abstractmethod
    async def measure(self, task_id: TaskId, *, audio_ms: int | None = None, size: int | None = None) -> None:
        """Note how much audio the task has, or how many bytes its recording; what is noted again counts once.

        A task without a charge is no error.
        """

    @abstractmethod
    async def used(self, owner: OwnerId, *, now: datetime) -> Used:
        """Add up what the owner has used until now."""

    @abstractmethod
    async def forget(self, owner: OwnerId, *, before: datetime) -> None:
        """Remove the owner's charges of earlier than `before`."""

    @abstractmethod
    async def quota(self, owner: OwnerId) -> Quota | None:
        """Return the owner's own quota; None where everybody's holds."""

    @abstractmethod
    async def set_quota(self, owner: OwnerId, quota: Quota | None) -> None:
        """Give the owner a quota, in place of an earlier one; with None, everybody's holds again."""

    @abstractmethod
    async def quotas(self) -> Mapping[OwnerId, Quota]:
        """Return every owner's own quota."""
