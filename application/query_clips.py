"""Reading clips: one, or an owner's, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.audit import note_refusal
from application.ports.persistence import NewUnitOfWork, UnitOfWork
from domain.audit import Thing
from domain.clip import Clip, ClipId
from domain.errors import ClipNotFound
from domain.task import OwnerId


@dataclass(frozen=True, slots=True)
class ClipView:
    """A clip, and its length in ms once a task made of it has found that out."""

    clip: Clip
    duration: int | None


class QueryClips:
    """Shows an owner its own clips; somebody else's, and those whose time has come, are not told apart from none."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def one(self, owner: OwnerId, clip_id: ClipId) -> ClipView:
        """Return the clip.

        Raises:
            ClipNotFound: there is none, or it is not the owner's.
        """
        async with self._new_uow() as uow:
            return await _view(uow, await owned_clip(uow, owner, clip_id))

    async def page(self, owner: OwnerId, *, before: ClipId | None, limit: int) -> Sequence[ClipView]:
        """Return up to `limit` clips, newest first, from after `before`; those that have just expired too."""
        async with self._new_uow() as uow:
            return [await _view(uow, clip) for clip in await uow.clips.page(owner, before=before, limit=limit)]


async def owned_clip(uow: UnitOfWork, owner: OwnerId, clip_id: ClipId) -> Clip:
    """Return the owner's clip.

    Raises:
        ClipNotFound: there is none, it is not the owner's, or its time has come.
    """
    clip = await uow.clips.get(clip_id)
    if clip is not None and clip.owner != owner:
        note_refusal(Thing.CLIP, clip_id)
    if clip is None or clip.owner != owner or not clip.kept_at(await uow.tasks.now()):
        raise ClipNotFound(f"there is no clip {clip_id}")
    return clip


async def _view(uow: UnitOfWork, clip: Clip) -> ClipView:
    return ClipView(clip, await uow.clips.duration(clip.id) if clip.uses else None)
