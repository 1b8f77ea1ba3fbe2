"""Giving owners quotas of their own, for whoever runs the installation."""

from collections.abc import Mapping
from dataclasses import replace

from application.audit import record
from application.ports.persistence import NewUnitOfWork
from domain.audit import Action, Thing
from domain.quota import Quota
from domain.task import OwnerId


class ManageQuotas:
    """An owner's own quota holds whole, in place of `quota`, which is everybody's."""

    def __init__(self, *, new_uow: NewUnitOfWork, quota: Quota) -> None:
        self._new_uow = new_uow
        self.everybodys = quota

    async def list(self) -> Mapping[OwnerId, Quota]:
        """Return the quota of each owner who has one."""
        async with self._new_uow() as uow:
            return await uow.usage.quotas()

    async def change(self, owner: OwnerId, changes: Mapping[str, int | None]) -> Quota:
        """Change the named parts of the owner's quota, None to unlimited; the others stay as they are in force."""
        async with self._new_uow() as uow:
            own = await uow.usage.quota(owner)
            changed = replace(self.everybodys if own is None else own, **changes)
            await uow.usage.set_quota(owner, changed)
            await record(uow, Action.CHANGED, Thing.QUOTA, owner, owner=owner)
            await uow.commit()
        return changed

    async def reset(self, owner: OwnerId) -> None:
        """Let everybody's quota hold for the owner again."""
        async with self._new_uow() as uow:
            await uow.usage.set_quota(owner, None)
            await record(uow, Action.DELETED, Thing.QUOTA, owner, owner=owner)
            await uow.commit()
