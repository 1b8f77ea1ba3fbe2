"""Answering a request that is sent again with what it was answered the first time; it answers nothing by itself."""

import asyncio
import hashlib
from pathlib import Path

from application.ports.persistence import NewUnitOfWork
from application.submission import NamedMedia, Submission
from domain.content import content_digest
from domain.errors import KeyReused
from domain.fetching import MediaUrl
from domain.idempotency import RequestKey
from domain.task import Task


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


async def fingerprint_of(submission: Submission, media: NamedMedia) -> str:
    """Return a digest of what was asked for: the recording, the options, and where else its events are sent."""
    if isinstance(media, MediaUrl):
        recording = media.url
    else:
        recording = await sha256_of(media) if isinstance(media, Path) else str(media)
    return content_digest(submission.options, f"{recording} {submission.webhook_digest}".rstrip())


async def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal, without holding up the event loop."""
    return await asyncio.to_thread(_digest, path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
