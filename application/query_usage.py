"""Telling owners what they have used and what they may use."""

from application.ports.persistence import NewUnitOfWork
from domain.quota import Quota, Used
from domain.task import OwnerId


class QueryUsage:
    """Adds up what an owner has used; `quota` is that of whoever has none of its own."""

    def __init__(self, *, new_uow: NewUnitOfWork, quota: Quota) -> None:
        self._new_uow = new_uow
        self._quota = quota

    async def __call__(self, owner: OwnerId) -> tuple[Quota, Used]:
        """Return what the owner may use, and what it has used."""
        async with self._new_uow() as uow:
            own = await uow.usage.quota(owner)
            used = await uow.usage.used(owner, now=await uow.tasks.now())
        return self._quota if own is None else own, used
