"""Answering a request that is sent again with what it was answered the first time; it answers nothing by itself."""

import asyncio
import hashlib
from pathlib import Path

from application.ports.persistence import NewUnitOfWork
from domain.clip import ClipMedia
from domain.content import content_digest
from domain.errors import KeyReused
from domain.fetching import MediaUrl
from domain.idempotency import RequestKey
from domain.options import TranscriptionOptions
from domain.task import Task
from domain.upload import UploadId


class AnswerOnce:
    """Finds the task that an earlier request under the same key has made."""

    def __init__(self, *, new_uow: NewUnitOfWork) -> None:
        self._new_uow = new_uow

    async def knows(self, key: RequestKey) -> bool:
        """Whether a request under this key was answered."""
        async with self._new_uow() as uow:
            return await uow.idempotency.get(key) is not None

    async def earlier(self, key: RequestKey, fingerprint: str) -> Task | None:
        """Return the earlier request's task; None when there was none, or its task was deleted.

        Raises:
            KeyReused: the earlier request was another one.
        """
        async with self._new_uow() as uow:
            answered = await uow.idempotency.get(key)
            if answered is None:
                return None
            if answered.fingerprint != fingerprint:
                raise KeyReused("this Idempotency-Key was used for another recording, or with other options")
            return await uow.tasks.get(answered.task_id)


async def fingerprint_of(options: TranscriptionOptions, media: Path | UploadId | ClipMedia | MediaUrl) -> str:
    """Return a digest of what was asked for: the recording and the options."""
    if isinstance(media, MediaUrl):
        return content_digest(options, media.url)
    return content_digest(options, await sha256_of(media) if isinstance(media, Path) else str(media))


async def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal, without holding up the event loop."""
    return await asyncio.to_thread(_digest, path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
