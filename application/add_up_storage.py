"""Adding up what is kept in the store, by what the database says of it: the store itself is not asked."""

from application.ports.persistence import NewUnitOfWork
from domain.census import Kept

_PAGE = 2_000
"""Keys that are read at once: some ten milliseconds, during which a database with one connection has no time for
others."""


class AddUpStorage:
    """Goes through all recordings, each of which counts once however many tasks hold it, and remembers the sums."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def __call__(self) -> None:
        """Add up once."""
        recordings, after = 0, ""
        while True:
            async with self._new_uow() as uow:
                page = await uow.census.recordings(after=after, limit=_PAGE)
            recordings += sum(page.values())
            if len(page) < _PAGE:
                break
            after = max(page)
        async with self._new_uow() as uow:
            await uow.census.stored({Kept.RECORDINGS: recordings} | dict(await uow.census.others()))
            await uow.commit()
