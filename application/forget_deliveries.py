"""Forgetting what was sent long ago: the log of webhooks does not grow for ever."""

from application.ports.persistence import NewUnitOfWork
from domain.webhook import KEPT


class ForgetDeliveries:
    """Removes deliveries that are older than they are listed, whatever became of them."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def __call__(self) -> int:
        """Remove them; return how many."""
        async with self._new_uow() as uow:
            removed = await uow.deliveries.forget(before=await uow.tasks.now() - KEPT)
            await uow.commit()
        return removed
