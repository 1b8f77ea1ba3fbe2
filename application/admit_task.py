"""Letting tasks into the queue until it is full, and within their owner's quota; which runs next it does not say."""

from dataclasses import replace

from application.ports.persistence import NewUnitOfWork, UnitOfWork
from domain.clip import Clip
from domain.errors import QueueFull, QuotaExceeded
from domain.quota import MONTH, UNLIMITED, Quota, shortage
from domain.task import OwnerId, Task, media_key


class AdmitTask:
    """Refuses what would make the queue longer than `most`, or an owner's part of it longer than `most_of_owner`.

    It also refuses, and charges, what goes beyond the owner's quota: its own, or `quota`, which is everybody's.
    """

    def __init__(self, *, new_uow: NewUnitOfWork, most: int, most_of_owner: int, quota: Quota = UNLIMITED) -> None:
        self._new_uow = new_uow
        self._most = most
        self._most_of_owner = most_of_owner
        self._quota = quota

    async def look(self, owner: OwnerId) -> None:
        """Refuse what can be refused already, before anything is received.

        Raises:
            QueueFull: there is no room now, or (QuotaExceeded) none for this owner.
        """
        async with self._new_uow() as uow:
            self._judge(*await uow.tasks.queue_length(owner))
            await self._judge_quota(uow, owner, 0)

    async def hold(self, uow: UnitOfWork, task: Task) -> None:
        """Make sure of a place for a new task until the unit ends, which adds it: nobody else can take it meanwhile.

        Its recording is charged here, unless it shares another task's or a clip's, or is yet to be fetched; its audio
        once it is decoded.

        Raises:
            QueueFull: there is no room, or (QuotaExceeded) none for this owner.
        """
        size = task.media.size if task.media.key == media_key(task.id) else 0
        self._judge(*await uow.tasks.queue_length(task.owner, hold=True))
        await self._judge_quota(uow, task.owner, size)
        await uow.usage.forget(task.owner, before=task.created_at - MONTH)
        await uow.usage.charge(task.id, task.owner, at=task.created_at, size=size)

    async def hold_clip(self, uow: UnitOfWork, clip: Clip) -> None:
        """Charge the bytes of a new clip, which the unit adds; what a task of it costs beside them is the task's.

        Raises:
            QuotaExceeded: they are too many for this owner.
        """
        await uow.tasks.queue_length(clip.owner, hold=True)  # whoever else is charged waits until the unit ends
        await self._judge_quota(uow, clip.owner, clip.size, bytes_only=True)
        await uow.usage.charge_clip(clip.id, clip.owner, at=clip.created_at, size=clip.size)

    def _judge(self, every: int, own: int) -> None:
        if own >= self._most_of_owner:
            raise QueueFull(f"{own} of your tasks wait already", code="too_many_queued")
        if every >= self._most:
            raise QueueFull("too many tasks wait already")

    async def _judge_quota(self, uow: UnitOfWork, owner: OwnerId, size: int, *, bytes_only: bool = False) -> None:
        own = await uow.usage.quota(owner)
        quota = self._quota if own is None else own
        if bytes_only:
            quota = replace(UNLIMITED, bytes=quota.bytes)
        if quota == UNLIMITED:
            return
        now = await uow.tasks.now()
        if short := shortage(quota, await uow.usage.used(owner, now=now), size=size, now=now):
            refused = QuotaExceeded(short.detail)
            refused.retry_after = short.retry_after
            raise refused
