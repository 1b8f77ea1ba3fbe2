"""Comparing the rows with the blobs in both directions: what crashes left without a row goes, what lacks is named.

It reads both sides as streams in step with each other, so that its memory does not grow with the history.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from application.ports.blobs import BlobStore
from application.ports.deletions import Holding
from application.ports.persistence import NewUnitOfWork
from domain.clip import Clip, ClipId
from domain.task import TaskId, media_key, transcript_key

GRACE = timedelta(hours=24)
"""A recording is stored before its row; its id was made before its first byte, and no upload takes longer than this."""
_BATCH = 500
_MEDIA, _TRANSCRIPTS = "media/", "transcripts/"
_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """How many blobs have no row, and how many rows lack a blob that they say they have."""

    strays: int = 0
    missing: int = 0


class Reconcile:
    """Finds blobs that no row accounts for, and removes them if told to; and rows whose blobs are gone."""

    def __init__(self, *, new_uow: NewUnitOfWork, blobs: BlobStore, grace: timedelta = GRACE) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._grace = grace

    async def __call__(self, *, remove: bool) -> Reconciliation:
        """Go through everything once."""
        found = Reconciliation()
        for prefix, strays_of in ((_MEDIA, self._stray_media), (_TRANSCRIPTS, self._stray_transcripts)):
            async for keys in _batches(self._blobs.list(prefix)):
                strays = await strays_of(keys)
                found.strays += len(strays)
                for key in strays:
                    _log.warning("blob_without_row", key=key, removed=remove)
                    if remove:
                        await self._blobs.delete(key)
        for missing in (self._missing(), self._missing_clips()):
            async for key in missing:
                found.missing += 1
                _log.error("row_without_blob", key=key)
        return found

    async def _stray_media(self, keys: Sequence[str]) -> list[str]:
        async with self._new_uow() as uow:
            latest = await uow.tasks.now() - self._grace
            held = await uow.keeping.held(keys)
        return [
            key
            for key in keys
            if key not in held and (of := _id(key.removeprefix(_MEDIA))) is not None and _made(of) < latest
        ]

    async def _stray_transcripts(self, keys: Sequence[str]) -> list[str]:
        named = [(key, name) for key in keys if (name := _revision(key)) is not None]
        async with self._new_uow() as uow:
            found = {each.task_id: each for each in await uow.keeping.holding({of for _, (of, _) in named})}
        # A transcript comes after its row, and before the row says so.
        return [
            key
            for key, (of, number) in named
            if (holding := found.get(of)) is None or (holding.at_rest and number > holding.revision)
        ]

    async def _missing(self) -> AsyncIterator[str]:
        """Give the keys that rows name in vain."""
        media, transcripts = _InStep(self._blobs.list(_MEDIA)), _InStep(self._blobs.list(_TRANSCRIPTS))
        after: TaskId | None = None
        while batch := await self._holdings(after):
            after = batch[-1].task_id
            for each in batch:
                own = media_key(each.task_id)
                expected = [(own, await media.has(own))] if each.media_key == own else []
                if each.media_key not in {own, None}:  # it shares another task's, out of this order
                    expected.append((each.media_key or "", False))
                if each.revision:
                    latest = transcript_key(each.task_id, each.revision)
                    expected.append((latest, await transcripts.has(latest)))
                for key in [key for key, listed in expected if not listed]:
                    if await self._lacks(each.task_id, key):
                        yield key

    async def _missing_clips(self) -> AsyncIterator[str]:
        """Give the keys that clips name in vain."""
        media = _InStep(self._blobs.list(_MEDIA))
        after: ClipId | None = None
        while batch := await self._clips(after):
            after = batch[-1].id
            for clip in batch:
                if not await media.has(clip.key) and await self._blobs.stat(clip.key) is None:
                    async with self._new_uow() as uow:
                        if await uow.clips.get(clip.id) is not None:
                            yield clip.key

    async def _clips(self, after: ClipId | None) -> Sequence[Clip]:
        async with self._new_uow() as uow:
            return await uow.clips.every(after=after, limit=_BATCH)

    async def _holdings(self, after: TaskId | None) -> Sequence[Holding]:
        async with self._new_uow() as uow:
            return await uow.keeping.holdings(after=after, limit=_BATCH)

    async def _lacks(self, task_id: TaskId, key: str) -> bool:
        """Look again: the blob may have come after the list was made, or gone with its row."""
        if await self._blobs.stat(key) is not None:
            return False
        async with self._new_uow() as uow:
            now = await uow.keeping.holding([task_id])
        return any(key in {each.media_key, transcript_key(task_id, each.revision)} for each in now)


class _InStep:
    """A sorted list that is asked for keys in the same order."""

    def __init__(self, keys: AsyncIterator[str]) -> None:
        self._keys = keys
        self._next: str | None = ""

    async def has(self, key: str) -> bool:
        while self._next is not None and self._next < key:
            self._next = await anext(self._keys, None)
        return self._next == key


async def _batches(keys: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    async for key in keys:
        batch.append(key)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _id(name: str) -> TaskId | None:
    try:
        return TaskId(UUID(name))
    except ValueError:
        return None


def _revision(key: str) -> tuple[TaskId, int] | None:
    """Read the name of a transcript; what is called otherwise is not ours to judge."""
    folder, _, file = key.removeprefix(_TRANSCRIPTS).partition("/")
    # Beside `1.json` there may be results made of it, `1.edited.….json` and the like: they go with it.
    number, _, kind = file.partition(".")
    of = _id(folder)
    ours = kind == "json" or kind.startswith(("edited.", "made."))
    return (of, int(number)) if of is not None and number.isdecimal() and ours else None


def _made(task_id: TaskId) -> datetime:
    """When an id was made: its first 48 bits are milliseconds (RFC 9562, version 7)."""
    return datetime.fromtimestamp((task_id.int >> 80) / 1000, UTC)
