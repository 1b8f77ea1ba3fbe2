"""Encrypting what was stored before ENCRYPTION_KEYS were given: blob by blob, beside traffic; begun again at any time.

A recording that only its store's mark vouches for (it went up by a URL, and nobody had read it) stays as it is, for the
mark would change with it. It goes with its task.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.persistence.sql_sealed import is_sealed, sealed_text
from adapters.persistence.tables import tasks
from adapters.persistence.tables_revisions import transcript_texts
from adapters.storage.encrypted import EncryptedBlobStore
from application.ports.blobs import BlobNotFound, BlobStore
from application.ports.persistence import NewUnitOfWork
from application.ports.vault import Vault
from domain.search import TextPart, terms
from domain.task import TaskId

_PREFIXES = ("media/", "transcripts/")
"""Uploads that no task has yet are gone within days."""
_UNREAD = '"sha256":""'
_texts = transcript_texts


class EncryptOld:
    """Encrypts blobs, then texts; what was encrypted before is looked at and left alone."""

    def __init__(
        self, stored: BlobStore, blobs: EncryptedBlobStore, new_uow: NewUnitOfWork, database: AsyncEngine, vault: Vault
    ) -> None:
        self._stored = stored
        self._blobs = blobs
        self._new_uow = new_uow
        self._database = database
        self._vault = vault

    async def __call__(self) -> tuple[int, int]:
        """Return how many blobs were encrypted, and the texts of how many tasks."""
        await self._vault.open()
        blobs = 0
        for prefix in _PREFIXES:
            async for key in self._stored.list(prefix):
                blobs += await self._encrypt(key)
        return blobs, await self._seal()

    async def _encrypt(self, key: str) -> bool:
        try:
            if not await self._blobs.plain(key) or await self._vouched_by_the_store(key):
                return False
            async with aclosing(self._plain(key)) as content:
                await self._blobs.put(key, content)
        except BlobNotFound:
            return False
        # A row goes before its blob: one that is still there sees to what has just been written, too.
        if not await self._wanted(key):
            await self._blobs.delete(key)
        return True

    async def _plain(self, key: str) -> AsyncGenerator[bytes, None]:
        async for chunk in self._stored.open(key):
            yield chunk

    async def _wanted(self, key: str) -> bool:
        async with self._new_uow() as uow:
            if key.startswith("media/"):
                return key in await uow.keeping.held([key])
            return bool(await uow.keeping.holding([TaskId(UUID(key.split("/")[1]))]))

    async def _vouched_by_the_store(self, key: str) -> bool:
        async with self._database.connect() as connection:
            holders = select(tasks.c.media).where(tasks.c.media_key == key)
            return any(_UNREAD in media for media in (await connection.execute(holders)).scalars())

    async def _seal(self) -> int:
        async with self._database.connect() as connection:
            of = list((await connection.execute(select(_texts.c.task_id).distinct())).scalars())
        sealed = 0
        for task_id in of:
            async with self._database.begin() as connection:
                parts = select(_texts.c.part, _texts.c.text).where(_texts.c.task_id == task_id)
                plain = [row for row in await connection.execute(parts) if not is_sealed(row.text)]
                for row in plain:
                    text = sealed_text(self._vault, task_id, row.part, TextPart(row.text, terms(row.text)))
                    same = (_texts.c.task_id == task_id) & (_texts.c.part == row.part) & (_texts.c.text == row.text)
                    await connection.execute(_texts.update().where(same).values(text=text, terms=""))
            sealed += bool(plain)
        return sealed
