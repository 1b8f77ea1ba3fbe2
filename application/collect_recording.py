"""Bringing a recording that a URL names into the blob store, where every later attempt finds it; nothing is decoded."""

import asyncio
import shutil
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from application.hold import Hold
from application.ports.blobs import BlobStore
from application.ports.media_fetch import MediaFetcher
from application.ports.persistence import NewUnitOfWork
from application.rendering.plain import one_line
from application.secret_urls import SecretUrls
from domain.errors import LeaseLost
from domain.fetching import FetchedMedia, FetchLimits
from domain.labels import MAX_TITLE
from domain.task import Phase, media_key

T = TypeVar("T")

_LOOK_SECONDS = 0.25
_LONGEST_NAME = 255


class CollectRecording:
    """Fetches a held task's recording, once; a task whose recording is here already is left as it is.

    Waiting for somebody's server costs next to nothing, so it is a phase of the work and needs no queue of its own.
    """

    def __init__(
        self,
        *,
        new_uow: NewUnitOfWork,
        blobs: BlobStore,
        fetcher: MediaFetcher,
        work_dir: Path,
        limits: FetchLimits,
        urls: SecretUrls,
    ) -> None:
        self._new_uow = new_uow
        self._blobs = blobs
        self._fetcher = fetcher
        self._work_dir = work_dir
        self._limits = limits
        self._urls = urls

    async def __call__(self, hold: Hold) -> None:
        """Fetch it, store it, and note what its site says of it.

        Raises:
            UrlNotAllowed, MediaRejected, FetchFailed, FetchUnavailable: it cannot be had.
            NotConfigured: as `SecretUrls.open`.
            StorageFull: there is no room for it.
            Interrupted, LeaseLost: the work was stopped.
        """
        if not hold.task.media.url:
            return
        hold.progress.begin(Phase.DOWNLOADING)
        folder = self._work_dir / f"{hold.id}.{hold.token}.fetch"
        await asyncio.to_thread(_fresh_folder, folder)
        try:
            path, url = folder / "recording", self._urls.open(hold.task.media.url)
            fetching = self._fetcher.fetch(url, path, self._limits, hold.sink(Phase.DOWNLOADING))
            await self._keep(hold, path, await _watched(hold, fetching))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _keep(self, hold: Hold, path: Path, fetched: FetchedMedia) -> None:
        """Store the recording, then say so: a crash between the two only repeats the fetching."""
        await hold.confirm()  # whoever slept through the lease must not replace what a successor has fetched
        key, title = media_key(hold.id), one_line(fetched.title)[:MAX_TITLE].strip()
        blob = await self._blobs.adopt(key, path)
        media = replace(
            hold.task.media,
            key=key,
            filename=_name(fetched.filename) or title or hold.task.media.filename,
            size=blob.size,
            sha256=blob.sha256,
            url="",
        )
        try:
            await hold.change(
                lambda task, _: task.fetched(token=hold.token, media=media, title=title, duration=fetched.duration),
                beside=lambda uow, task, _: uow.usage.measure(task.id, size=blob.size),
            )
        except LeaseLost:
            async with self._new_uow() as uow:
                gone = await uow.tasks.get(hold.id) is None
            if gone:  # it was deleted meanwhile: nothing of it may come back
                await self._blobs.delete(key)
            raise


async def _watched(hold: Hold, fetching: Coroutine[Any, Any, T]) -> T:
    """Await the fetching, but no longer than the task is to be worked on: a silent server calls no sink."""
    work = asyncio.ensure_future(fetching)
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=_LOOK_SECONDS)
            hold.check()
        return work.result()
    finally:
        if not work.done():
            work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _name(text: str) -> str:
    return one_line(text.replace("\\", "/").rpartition("/")[2])[:_LONGEST_NAME].strip()


def _fresh_folder(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, mode=0o700)
